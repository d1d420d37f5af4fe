"""Tests of `storage/embedded`."""
