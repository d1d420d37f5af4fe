"""What PicShare knows and keeps: domain types, PostgreSQL stores, feeds in Redis, blobs, migrations."""
