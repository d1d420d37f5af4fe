"""The live layer measured against its peers, all on the same machine in one run: `make bench-live`."""
