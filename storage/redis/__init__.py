"""Redis and Valkey: connections, clusters, scripts, and protection from stale data."""
