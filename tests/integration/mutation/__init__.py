"""Tests of `mutation` that run pytest."""
