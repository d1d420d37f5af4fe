"""Reports of a load test: its progress, and its result as a table, as JSON and as a picture."""
