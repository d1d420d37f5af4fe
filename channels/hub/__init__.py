"""All connections of this process: routing, delivery, recovery and the process heartbeat."""
