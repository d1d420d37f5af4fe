"""Tests of what `picshare plan --measure` measures."""
