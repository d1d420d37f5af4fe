"""Communication between processes: key and channel names, envelopes, Redis pub/sub, the registry and presence."""
