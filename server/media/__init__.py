"""Images at the edge: received, checked by their headers, and served."""
