"""Images at the HTTP edge: receive uploads, check their headers, serve originals and variants."""
