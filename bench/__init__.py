"""What the service must reach, measured: `make bench` prints a table and keeps JSON."""
