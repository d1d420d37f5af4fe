"""Home feeds and notification logs in Redis: the log format, its scripts, pages and recovery."""
