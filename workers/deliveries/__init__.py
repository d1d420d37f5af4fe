"""Deliveries of notifications out of the application: the port of the channels, and their settings."""
