"""The HTTP edge: middleware, authentication, rate limits, validation, and the format of responses and errors."""
