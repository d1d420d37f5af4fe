"""What search, suggestions and trends read."""
