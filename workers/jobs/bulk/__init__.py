"""What one user can cause in any amount, in batches."""
