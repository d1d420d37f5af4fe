"""Tests of `workers/jobs/bulk`."""
