"""Settings: their keys, their sources and their reference."""
