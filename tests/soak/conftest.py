"""Scenes that are too long for a normal run of the tests are collected by `make soak` alone."""

from __future__ import annotations

import os

collect_ignore = [] if "SOAK_SECONDS" in os.environ else ["test_alerts.py", "test_failover.py"]
