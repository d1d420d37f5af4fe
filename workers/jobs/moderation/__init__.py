"""Findings, decisions and verdicts about photos and accounts, and how they take effect."""
