"""Work done later: the broker, the outbox relay, media, fan-out, notifications."""
