"""Who hears what, now: the wire protocol, this process's connections, pub/sub, presence."""
