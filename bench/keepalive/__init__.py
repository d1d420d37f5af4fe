"""What it costs to keep idle connections alive."""
