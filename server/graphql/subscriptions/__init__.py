"""Subscriptions: the types of their events, and the projection of publications through a selection."""
