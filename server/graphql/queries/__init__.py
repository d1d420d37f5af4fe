"""Fields of `Query` and `Viewer`."""
