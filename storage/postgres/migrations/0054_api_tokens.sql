-- Applications of other developers (OAuth 2.1). One that registered itself has no owner, and is deleted if it is never
-- used; the shard of any other is that of its owner. A public one has no secret.
CREATE TABLE oauth_clients (
    shard           integer NOT NULL,
    id              bigint NOT NULL,
    owner_id        bigint,
    name            text NOT NULL,
    website         text NOT NULL DEFAULT '',
    redirect_uris   text[] NOT NULL,
    scopes          text[] NOT NULL,              -- the most that it may ask for
    secret_sha256   bytea,
    refreshes       boolean NOT NULL DEFAULT false, -- its tokens expire, and it refreshes them
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_used_at    timestamptz,
    PRIMARY KEY (id, shard),
    FOREIGN KEY (owner_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (id & 1023))
);
CREATE INDEX oauth_clients_owner ON oauth_clients (owner_id) WHERE owner_id IS NOT NULL;
CREATE INDEX oauth_clients_unused ON oauth_clients (created_at) WHERE owner_id IS NULL AND last_used_at IS NULL;

-- A token of an application or of a user's own program belongs to a session, which is revoked with it. Such a session
-- has no refresh tokens, and is not one that its user has signed in to.
ALTER TABLE sessions ADD COLUMN by_token boolean NOT NULL DEFAULT false;

-- Codes that applications exchange for tokens, each once. `session_id` is that of the tokens, which end if a code is
-- exchanged a second time.
CREATE TABLE oauth_codes (
    shard           integer NOT NULL,             -- of the user
    sha256          bytea NOT NULL,
    user_id         bigint NOT NULL,
    client_id       bigint NOT NULL,
    redirect_uri    text NOT NULL,
    challenge       text,                         -- of PKCE (RFC 7636), by S256
    scopes          text[] NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL,
    used_at         timestamptz,
    session_id      uuid,
    PRIMARY KEY (sha256, shard),
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (user_id & 1023))
);
CREATE INDEX oauth_codes_expiry ON oauth_codes (expires_at);

-- Tokens of the API, by their SHA-256. One without `client_id` is a user's own; one without `user_id` and `session_id`
-- is an application's own. A refresh adds a token to the session; `refreshed_at` is when a refresh token was used up.
CREATE TABLE api_tokens (
    shard           integer NOT NULL,             -- of the user, or of the client
    sha256          bytea NOT NULL,
    session_id      uuid,
    user_id         bigint,
    client_id       bigint,
    name            text NOT NULL DEFAULT '',
    scopes          text[] NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_used_at    timestamptz,
    expires_at      timestamptz,
    refresh_sha256  bytea,
    refresh_expires_at timestamptz,
    refreshed_at    timestamptz,
    PRIMARY KEY (sha256, shard),
    FOREIGN KEY (session_id, shard) REFERENCES sessions (id, shard) ON DELETE CASCADE,
    FOREIGN KEY (user_id, shard) REFERENCES users (id, shard),
    CHECK (shard = (user_id & 1023)),
    CHECK (user_id IS NOT NULL OR shard = (client_id & 1023)),
    CHECK ((user_id IS NULL) = (session_id IS NULL))
);
CREATE INDEX api_tokens_user ON api_tokens (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX api_tokens_session ON api_tokens (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX api_tokens_client ON api_tokens (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX api_tokens_expiry ON api_tokens (expires_at) WHERE expires_at IS NOT NULL;
CREATE UNIQUE INDEX api_tokens_refresh ON api_tokens (refresh_sha256, shard) WHERE refresh_sha256 IS NOT NULL;

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('oauth_clients', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('oauth_codes', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('api_tokens', 'shard', colocate_with => 'users');
    END IF;
END $$;
