"""Tests of `server/live`."""
