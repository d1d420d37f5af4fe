"""Who somebody is and how often they may: passwords, tokens, sessions, rate limits."""
