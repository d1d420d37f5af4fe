"""Measuring what one unit of each kind of work costs on this machine."""
