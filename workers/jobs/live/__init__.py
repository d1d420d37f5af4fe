"""Publications to live clients, and what ends their subscriptions and sessions."""
