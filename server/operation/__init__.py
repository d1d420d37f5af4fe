"""Operation of a process: lifecycle, listening, health, metrics, logs and the data directory."""
