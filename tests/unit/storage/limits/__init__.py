"""Tests of `storage.limits` without engines."""
