"""Mutation testing: make one small mistake at a time in a copy of the tree, and find those that no test notices."""
