"""The web application."""

from __future__ import annotations

from mutation.parts.part import Part

WEB = (
    Part(
        name="page",
        modules=["static/live/*.js"],
        tests=["tests/browser/test_live_*.py", "tests/browser/test_first_connection.py"],
    ),
)
