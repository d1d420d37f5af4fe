"""Tests of `workers/webhooks`."""
