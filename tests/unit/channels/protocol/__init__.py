"""Tests of `channels/protocol`."""
