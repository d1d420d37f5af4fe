"""What PicShare is measured against, and PicShare: each a server that sends one message to all of its clients."""
