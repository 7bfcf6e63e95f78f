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
