"""Access policy: allowed hosts, API keys, CORS origins and the admin token."""
