"""Tests of `workers/web_push`."""
