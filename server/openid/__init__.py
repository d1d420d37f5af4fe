"""OpenID Connect: sign-in with a provider, as its relying party."""
