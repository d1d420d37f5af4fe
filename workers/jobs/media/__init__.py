"""Uploads, images and videos: what is made of them, and their removal from the blob store."""
