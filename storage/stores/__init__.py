"""Queries and changes of each domain type in PostgreSQL, one module per concern."""
