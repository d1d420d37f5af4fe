"""Benchmarks of what the service must reach: `make bench` prints a table and writes JSON."""
