"""Tests of `storage/redis`."""
