"""What people do, who is to hear of it, who did hear, and the storms in between."""
