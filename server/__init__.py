"""The edge and the only composition root: configuration, roles, HTTP handlers, auth, metrics, commands."""
