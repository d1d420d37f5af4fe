"""Photos with their pictures, uploads, likes and lists."""
