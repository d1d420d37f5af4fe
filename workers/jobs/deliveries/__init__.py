"""Deliveries of notifications to devices and mail addresses."""
