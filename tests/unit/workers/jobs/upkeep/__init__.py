"""Tests of `workers/jobs/upkeep`."""
