"""One live connection: its state, its write buffer, its keepalive, and how it is closed."""
