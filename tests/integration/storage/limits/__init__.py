"""Tests of `storage/limits`."""
