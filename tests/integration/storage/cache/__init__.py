"""Tests of `storage/cache`."""
