-- Connections, links and what is remembered of them.

CREATE TABLE connection (
    id                         integer PRIMARY KEY CHECK (id > 0),
    settings                   jsonb NOT NULL,
    created_at                 timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE link (
    id                         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection_id              integer NOT NULL REFERENCES connection (id),
    object_type                text NOT NULL CHECK (object_type IN ('company', 'contact')),
    hubspot_id                 text,
    falcana_id                 text,
    state                      text NOT NULL DEFAULT 'unlinked',
    -- Field memories: shadows, register, intents. JSON because the mapping decides which fields exist.
    fields                     jsonb NOT NULL DEFAULT '{}',
    open_intents               boolean NOT NULL DEFAULT false,
    hubspot_modified_ms        bigint NOT NULL DEFAULT 0,
    falcana_modified_ms        bigint NOT NULL DEFAULT 0,
    falcana_version            bigint NOT NULL DEFAULT 0,
    unverified                 boolean NOT NULL DEFAULT false,
    erased                     boolean NOT NULL DEFAULT false,
    parked                     boolean NOT NULL DEFAULT false,
    reason                     text NOT NULL DEFAULT '',
    state_since                timestamptz NOT NULL DEFAULT now(),
    row_version                bigint NOT NULL DEFAULT 0,
    fence                      bigint NOT NULL DEFAULT 0,
    lease_owner                text,
    lease_until                timestamptz,
    CHECK (hubspot_id IS NOT NULL OR falcana_id IS NOT NULL)
);
CREATE UNIQUE INDEX link_by_hubspot ON link (connection_id, object_type, hubspot_id) WHERE hubspot_id IS NOT NULL;
CREATE UNIQUE INDEX link_by_falcana ON link (connection_id, object_type, falcana_id) WHERE falcana_id IS NOT NULL;
CREATE INDEX link_by_state ON link (connection_id, object_type, state, state_since);

-- Ids that a HubSpot merge has replaced; hints may still name them.
CREATE TABLE former_id (
    connection_id              integer NOT NULL REFERENCES connection (id),
    object_type                text NOT NULL,
    system                     text NOT NULL,
    record_id                  text NOT NULL,
    link_id                    bigint NOT NULL REFERENCES link (id) ON DELETE CASCADE,
    since                      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (connection_id, object_type, system, record_id)
);
-- The ledger, and everything that waits or needs a person.

CREATE TABLE decision (
    id            bigint GENERATED ALWAYS AS IDENTITY,
    decided_at    timestamptz NOT NULL DEFAULT now(),
    connection_id integer NOT NULL,
    link_id       bigint NOT NULL,
    stage         text NOT NULL,
    action        text NOT NULL,
    reason        text NOT NULL,
    detail        jsonb NOT NULL,
    causes        text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (id, decided_at)
) PARTITION BY RANGE (decided_at);
CREATE TABLE decision_default PARTITION OF decision DEFAULT;
CREATE INDEX decision_by_link ON decision (link_id, decided_at);

CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('fsync.erasing', true) = 'yes' THEN
        RETURN COALESCE(NEW, OLD);
    END IF;
    RAISE EXCEPTION 'the ledger is append-only';
END
$$;
CREATE TRIGGER decision_append_only BEFORE UPDATE OR DELETE ON decision
    FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();

CREATE TABLE conflict (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection_id integer NOT NULL REFERENCES connection (id),
    link_id       bigint NOT NULL,
    field         text NOT NULL,
    rule          text NOT NULL,
    winner        text,
    winner_value  jsonb,
    loser         jsonb,
    found_at      timestamptz NOT NULL DEFAULT now(),
    settled_at    timestamptz
);
CREATE INDEX conflict_by_link ON conflict (link_id);
CREATE INDEX conflict_open ON conflict (connection_id) WHERE settled_at IS NULL;

CREATE TABLE held_field (
    connection_id integer NOT NULL REFERENCES connection (id),
    link_id       bigint NOT NULL REFERENCES link (id) ON DELETE CASCADE,
    field         text NOT NULL,
    towards       text NOT NULL,
    reason        text NOT NULL,
    since         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (link_id, field)
);

CREATE TABLE retry (
    connection_id integer NOT NULL REFERENCES connection (id),
    object_type   text NOT NULL,
    system        text NOT NULL,
    record_id     text NOT NULL,
    category      text NOT NULL,
    reason        text NOT NULL,
    attempts      integer NOT NULL DEFAULT 0,
    not_before    timestamptz NOT NULL,
    first_at      timestamptz NOT NULL DEFAULT now(),
    pull          boolean NOT NULL DEFAULT false,
    push          boolean NOT NULL DEFAULT false,
    run_id        bigint NOT NULL DEFAULT 0,
    -- A privacy deletion that was announced must not be forgotten while its record is busy.
    happening     text NOT NULL DEFAULT 'look',
    PRIMARY KEY (connection_id, object_type, system, record_id)
);
CREATE INDEX retry_due ON retry (not_before);

CREATE TABLE dead_letter (
    connection_id integer NOT NULL REFERENCES connection (id),
    object_type   text NOT NULL,
    system        text NOT NULL,
    record_id     text NOT NULL,
    category      text NOT NULL,
    reason        text NOT NULL,
    first_at      timestamptz NOT NULL DEFAULT now(),
    last_at       timestamptz NOT NULL DEFAULT now(),
    times         integer NOT NULL DEFAULT 1,
    PRIMARY KEY (connection_id, object_type, system, record_id)
);
-- How far each direction has been read, manual runs, and the shared budget of calls.

CREATE TABLE checkpoint (
    connection_id integer NOT NULL REFERENCES connection (id),
    system        text NOT NULL,
    object_type   text NOT NULL,
    position      text NOT NULL,
    succeeded_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (connection_id, system, object_type)
);

CREATE TABLE run (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection_id integer NOT NULL REFERENCES connection (id),
    direction     text NOT NULL CHECK (direction IN ('pull', 'push')),
    kind          text NOT NULL,
    started_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    listed        boolean NOT NULL DEFAULT false,
    expected      bigint NOT NULL DEFAULT 0,
    created       bigint NOT NULL DEFAULT 0,
    updated       bigint NOT NULL DEFAULT 0,
    unchanged     bigint NOT NULL DEFAULT 0,
    deleted       bigint NOT NULL DEFAULT 0,
    blocked       bigint NOT NULL DEFAULT 0,
    failed        bigint NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX run_one_at_a_time ON run (connection_id) WHERE finished_at IS NULL;

-- A leaky bucket per connection and kind of call: the moment at which the next call would be free.
CREATE TABLE api_budget (
    connection_id integer NOT NULL,
    bucket        text NOT NULL,
    free_at       timestamptz NOT NULL,
    PRIMARY KEY (connection_id, bucket)
);
