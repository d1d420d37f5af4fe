"""Tests of `workers/images`."""
