"""What makes mutants of a file: one module for each language, each a pure function from text to `Edit`s."""
