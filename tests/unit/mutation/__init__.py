"""Tests of `mutation`."""
