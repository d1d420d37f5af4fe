"""Tests of `workers/jobs/webhooks`."""
