"""Tests of `server/composition`."""
