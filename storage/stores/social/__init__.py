"""How accounts are related: follows, blocks, mutes, lists, close friends, bells and stars."""
