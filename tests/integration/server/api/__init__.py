"""Tests of `server/api`."""
