"""Processes under test, their CPU time and memory, and the stalls of their event loops."""
