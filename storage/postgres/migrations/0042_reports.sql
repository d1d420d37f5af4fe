-- Reports by users, the cases that they open, and what moderators decide. All is in the shard of what is reported: that
-- of the photo or user, for a comment that of its photo. The person concerned and the reporter may be in others.
ALTER TABLE users ADD COLUMN limited_at timestamptz;
ALTER TABLE users ADD COLUMN suspended_at timestamptz;
ALTER TABLE users ADD COLUMN reports_upheld integer NOT NULL DEFAULT 0;   -- of this user's reports: those that led to an
ALTER TABLE users ADD COLUMN reports_rejected integer NOT NULL DEFAULT 0; -- action, and those that did not
ALTER TABLE comments ADD COLUMN hidden_at timestamptz;                    -- by a moderator; it is deleted until restored
ALTER TABLE notifications ADD COLUMN subject_id bigint;                   -- the decision or report that it is about

CREATE TABLE moderation_cases (
    shard           integer NOT NULL,
    id              bigint NOT NULL,
    subject_kind    text NOT NULL CHECK (subject_kind IN ('photo', 'comment', 'user')),
    subject_id      bigint NOT NULL,
    owner_id        bigint NOT NULL,              -- the account concerned
    state           text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'escalated', 'closed')),
    category        text NOT NULL,                -- the most severe of its reports
    reports         integer NOT NULL DEFAULT 0,
    trust           double precision NOT NULL DEFAULT 0,
    reach           integer NOT NULL DEFAULT 0,
    priority        double precision NOT NULL DEFAULT 0,
    assigned_to     bigint,
    opened_at       timestamptz NOT NULL DEFAULT now(),
    closed_at       timestamptz,
    erase_at        timestamptz,                  -- when what was removed or suspended is erased for good
    PRIMARY KEY (id, shard),
    CHECK (shard = (id & 1023)),
    CHECK (shard = (subject_id & 1023))
);
CREATE UNIQUE INDEX moderation_cases_open ON moderation_cases (subject_id, subject_kind, shard) WHERE state <> 'closed';
CREATE INDEX moderation_cases_queue ON moderation_cases (priority DESC, id DESC) WHERE state <> 'closed';
CREATE INDEX moderation_cases_subject ON moderation_cases (subject_id, id);
CREATE INDEX moderation_cases_owner ON moderation_cases (owner_id, id);
CREATE INDEX moderation_cases_closed ON moderation_cases (id DESC) WHERE state = 'closed';
CREATE INDEX moderation_cases_erasure ON moderation_cases (erase_at) WHERE erase_at IS NOT NULL;

CREATE TABLE reports (
    shard           integer NOT NULL,
    id              bigint NOT NULL,
    case_id         bigint NOT NULL,
    subject_kind    text NOT NULL,
    subject_id      bigint NOT NULL,
    reporter_id     bigint,                       -- NULL once the account is erased
    category        text NOT NULL,
    text            text NOT NULL,
    trust           double precision NOT NULL,    -- of the reporter at that time
    outcome         text CHECK (outcome IN ('action', 'no_action')),
    created_at      timestamptz NOT NULL DEFAULT now(),
    answered_at     timestamptz,
    PRIMARY KEY (id, shard),
    UNIQUE (reporter_id, subject_id, subject_kind, shard),
    FOREIGN KEY (case_id, shard) REFERENCES moderation_cases (id, shard),
    CHECK (shard = (id & 1023))
);
CREATE INDEX reports_case ON reports (case_id, id);
CREATE INDEX reports_unanswered ON reports (case_id, id) WHERE answered_at IS NULL;

-- A decision is a statement of reasons, and is never changed. One that undoes another names it in `reverts`.
CREATE TABLE moderation_decisions (
    shard           integer NOT NULL,
    id              bigint NOT NULL,
    case_id         bigint NOT NULL,
    subject_kind    text NOT NULL,
    subject_id      bigint NOT NULL,
    owner_id        bigint NOT NULL,
    source          text NOT NULL CHECK (source IN ('moderator', 'service', 'automatic')),
    decided_by      bigint,                       -- the moderator
    action          text NOT NULL CHECK (action IN ('none', 'sensitive', 'hide', 'remove', 'limit', 'suspend')),
    rule            text NOT NULL,                -- the ground: a category
    reason          text NOT NULL,                -- told to the account concerned
    facts           text NOT NULL DEFAULT '',     -- what the decision relies on
    note            text NOT NULL DEFAULT '',     -- for moderators
    reverts         bigint,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, shard),
    FOREIGN KEY (case_id, shard) REFERENCES moderation_cases (id, shard),
    CHECK (shard = (id & 1023)),
    CHECK ((source = 'moderator') = (decided_by IS NOT NULL))
);
CREATE INDEX moderation_decisions_case ON moderation_decisions (case_id, id);
CREATE INDEX moderation_decisions_owner ON moderation_decisions (owner_id, id DESC);
CREATE UNIQUE INDEX moderation_decisions_reverts ON moderation_decisions (reverts, shard) WHERE reverts IS NOT NULL;

CREATE TABLE moderation_appeals (
    shard           integer NOT NULL,
    decision_id     bigint NOT NULL,
    case_id         bigint NOT NULL,
    owner_id        bigint NOT NULL,
    text            text NOT NULL,
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'upheld', 'reverted')),
    answered_by     bigint,
    answer          text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL DEFAULT now(),
    answered_at     timestamptz,
    PRIMARY KEY (decision_id, shard),
    FOREIGN KEY (decision_id, shard) REFERENCES moderation_decisions (id, shard),
    CHECK (shard = (decision_id & 1023)),
    CHECK ((state = 'pending') = (answered_at IS NULL))
);
CREATE INDEX moderation_appeals_pending ON moderation_appeals (created_at, decision_id) WHERE state = 'pending';

CREATE TABLE moderation_audit (
    shard           integer NOT NULL,
    id              bigint NOT NULL,
    case_id         bigint NOT NULL,
    actor_id        bigint,                       -- the moderator; NULL for PicShare and for the account concerned
    action          text NOT NULL,
    details         jsonb NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, shard),
    FOREIGN KEY (case_id, shard) REFERENCES moderation_cases (id, shard),
    CHECK (shard = (id & 1023))
);
CREATE INDEX moderation_audit_case ON moderation_audit (case_id, id);

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') THEN
        PERFORM create_distributed_table('moderation_cases', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('reports', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('moderation_decisions', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('moderation_appeals', 'shard', colocate_with => 'users');
        PERFORM create_distributed_table('moderation_audit', 'shard', colocate_with => 'users');
        -- For the triggers below, which read no table, and so are safe on each server.
        SET LOCAL citus.enable_unsafe_triggers = on;
    END IF;
END $$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

DO $$
DECLARE
    name text;
BEGIN
    -- A trigger for each statement refuses TRUNCATE as well.
    FOREACH name IN ARRAY ARRAY['moderation_decisions', 'moderation_audit'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()',
            name || '_append_only', name);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
            name || '_kept', name);
    END LOOP;
END $$;
