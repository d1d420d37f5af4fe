"""Caches of images in front of PicShare: purges, and what they fetch before users ask for it."""
