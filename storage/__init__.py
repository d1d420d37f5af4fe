"""PicShare's data: domain types, stores in PostgreSQL, feeds and caches in Redis, and the blob store."""
