"""Tests of `workers/jobs/mails`."""
