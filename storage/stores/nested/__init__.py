"""Lists for many parents at once, with a page of each, in one statement."""
