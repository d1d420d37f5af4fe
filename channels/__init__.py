"""Live delivery: the wire protocol, the connections of this process, pub/sub between processes, and presence."""
