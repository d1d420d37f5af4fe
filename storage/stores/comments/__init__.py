"""Comments with their threads, likes and pins."""
