"""Tests of `server/actions`."""
