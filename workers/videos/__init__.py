"""Short videos: their structure, and the MP4 and the poster that are made of them in a decoder process."""
