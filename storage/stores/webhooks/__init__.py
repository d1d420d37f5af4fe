"""Endpoints of webhooks with their deliveries and attempts."""
