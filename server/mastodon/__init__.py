"""The interface of Mastodon, as its apps use it: an adapter of the use cases, as `server.api` is."""
