"""Tests of links elsewhere."""
