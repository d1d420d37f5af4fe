"""Object types of the API's schema; their values are the JSON objects of REST responses."""
