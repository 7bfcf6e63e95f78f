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
