"""Tests of `workers/jobs/deliveries`."""
