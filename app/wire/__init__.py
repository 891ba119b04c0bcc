"""How requests come and answers go: HTTP as this service speaks it, and the short way through."""
