"""What is deployed next to PicShare."""
