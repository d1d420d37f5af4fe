"""Tests of `channels/hub`."""
