"""Capacity: from the cost of units and a load to processes, machines, disks and bandwidth; no I/O but reading files."""
