"""Who gets in: to which hosts the service answers, with which keys, and for which web pages."""
