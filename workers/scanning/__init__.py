"""Services that scan originals before photos are published."""
