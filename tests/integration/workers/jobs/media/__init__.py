"""Tests of `workers/jobs/media`."""
