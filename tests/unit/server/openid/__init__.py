"""Tests of `server/config`."""
