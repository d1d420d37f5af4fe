"""Handlers of events, one module per queue or concern."""
