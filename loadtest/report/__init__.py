"""What people see of a load test: its progress, and its outcome as a table, as JSON and as a picture."""
