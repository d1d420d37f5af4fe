"""Tests of `server/media`."""
