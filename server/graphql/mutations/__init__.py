"""Fields of `Mutation`: the writes of the REST API, with the rules of their endpoints."""
