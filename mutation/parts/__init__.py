"""The modules that are mutated, in parts, and the tests that have to notice it."""
