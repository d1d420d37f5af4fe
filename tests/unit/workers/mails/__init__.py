"""Tests of the content and form of mails."""
