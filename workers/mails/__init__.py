"""Mail: the content and form of messages, the tokens in their links, and the transports that send them."""
