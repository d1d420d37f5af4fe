"""The HTTP edge: what every request passes, how errors read, and what goes in and out."""
