"""Index of this process's connections, delivery to them, recovery of missed publications, and the heartbeat."""
