"""Mails: their contents by kind, and how they are sent."""
