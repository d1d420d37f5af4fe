"""Tests of `workers/outbound`."""
