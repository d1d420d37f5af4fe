"""Accounts with their names, addresses, restrictions and erasure."""
