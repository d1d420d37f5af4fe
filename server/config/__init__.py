"""Settings: every key, where values come from, and their reference."""
