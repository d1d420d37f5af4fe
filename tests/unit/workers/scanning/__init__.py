"""Tests of `workers.scanning`."""
