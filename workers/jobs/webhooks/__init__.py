"""Webhooks: deliveries to the endpoints of subscribers."""
