"""How processes hear of what happens: names, envelopes, Redis pub/sub, and who is connected where."""
