"""Exports and imports of an account."""
