"""The demonstration community that a newcomer meets."""
