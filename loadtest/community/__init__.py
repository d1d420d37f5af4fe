"""The users of one tester process: their accounts, their follows, and the REST API that they use."""
