"""The ports of the live layer, implemented with the stores and the actions."""
