"""Tests of `channels/transports`."""
