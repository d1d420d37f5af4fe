"""Rate limits, revoked sessions and one-use tickets in Redis."""
