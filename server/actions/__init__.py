"""Use cases: what a user does, once; REST, live rpc and the demonstration community adapt them."""
