"""Many clients in one process, cheap enough to be driven by one core: one epoll, no task and no buffer for each."""
