"""Tests of `workers/jobs/caches`."""
