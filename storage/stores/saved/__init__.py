"""Saved photos and collections."""
