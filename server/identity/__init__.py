"""Identity and rate limits without HTTP: passwords, access tokens, and how often a client may do something."""
