"""Tests of `workers.reviewing`."""
