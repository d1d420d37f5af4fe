"""Caches in front of PicShare: they remove, forget and fetch images."""
