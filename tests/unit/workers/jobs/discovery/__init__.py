"""Tests of `workers/jobs/discovery`."""
