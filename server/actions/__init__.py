"""Use cases: everything a user does that changes something, written once.

REST, the calls of live connections and the demonstration community adapt these. An action takes the viewer's id and
plain arguments, checks permission, does the transaction, updates the caches after the commit, and returns plain
values; errors are those of `storage.errors` and `server.identity.errors`. It knows nothing of HTTP or of the live
protocol.

Each module states which rate limit its actions are charged to. Adapters charge it with `RateLimiter.check_user` before
they call the action, because REST refuses a request before it reads its body. Signing in and signing up have no viewer
yet, so they charge their limits themselves.

An action that creates something takes the open transaction: its adapter may store the response for an idempotency key
in the same transaction. All others open their own.
"""
