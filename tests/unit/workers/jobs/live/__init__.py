"""Tests of `workers/jobs/live`."""
