"""Real engines as child processes of one PicShare: PostgreSQL and Valkey from wheels, on unix sockets."""
