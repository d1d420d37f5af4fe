"""Tests of `workers/broker`."""
