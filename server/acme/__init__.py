"""Certificates that the service orders by ACME (RFC 8555), with the challenge http-01."""
