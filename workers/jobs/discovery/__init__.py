"""What users can discover: accounts, tags and photos of the search."""
