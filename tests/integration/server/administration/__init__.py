"""Tests of `server/administration`."""
