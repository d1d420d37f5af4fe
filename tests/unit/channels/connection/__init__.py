"""Tests of `channels/connection`."""
