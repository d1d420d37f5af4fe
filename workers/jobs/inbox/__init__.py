"""Notifications: what users find in their inboxes."""
