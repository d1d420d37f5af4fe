"""The interface of Mastodon, as its apps use it: an adapter of the use cases in `server.actions`, as `server.api` is."""
