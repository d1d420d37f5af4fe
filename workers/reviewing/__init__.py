"""Services that are asked what a photo shows, one adapter each."""
