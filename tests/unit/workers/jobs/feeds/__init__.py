"""Tests of `workers/jobs/feeds`."""
