"""Tests of `workers/jobs/moderation`."""
