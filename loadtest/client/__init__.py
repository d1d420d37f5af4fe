"""One live connection of a load test: the client's side of the live protocol, and the socket that carries it."""
