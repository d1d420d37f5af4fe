"""Web Push: encryption (RFC 8291), the identity of the server (RFC 8292), and requests to push services (RFC 8030)."""
