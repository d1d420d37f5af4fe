"""Benchmarks of the live layer against its peers, on one machine in one run: `make bench-live`."""
