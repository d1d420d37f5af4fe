"""Signals of abuse: rules about what accounts do, one in each file."""
