"""Tests of `channels/bus`."""
