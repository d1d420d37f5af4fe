"""Archives of accounts: exports and imports."""
