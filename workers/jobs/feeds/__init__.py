"""Photos in the feeds of followers, and the feeds after changes between users."""
