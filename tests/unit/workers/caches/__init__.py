"""Tests of `workers/caches`."""
