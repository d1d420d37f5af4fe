"""Tests of `channels/commands`."""
