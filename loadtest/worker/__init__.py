"""One tester process: its part of the load, led by the parent through a pipe."""
