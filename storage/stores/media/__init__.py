"""Files of pictures: contents, variants, profile images, and what is under quarantine."""
