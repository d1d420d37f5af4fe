"""Tests of `workers/jobs/inbox`."""
