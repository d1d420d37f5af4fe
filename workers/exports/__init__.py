"""The archives of accounts: their entries, and the ZIP file that has them."""
