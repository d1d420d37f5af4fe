"""Unit tests of `workers`."""
