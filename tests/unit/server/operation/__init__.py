"""Tests of `server/operation`."""
