"""Tests of `workers/jobs/archives`."""
