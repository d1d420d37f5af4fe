"""Tests of `storage/feeds`."""
