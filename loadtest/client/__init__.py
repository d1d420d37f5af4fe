"""One live connection of a load test: the client side of the live protocol, and its socket."""
