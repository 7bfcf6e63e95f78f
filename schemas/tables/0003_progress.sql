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
