-- name: insert_unknown
-- Make rows for records no link knows yet, also under an id that was merged away. Two workers may do it at once.
INSERT INTO link (connection_id, object_type, hubspot_id, falcana_id)
SELECT $1, $2, CASE WHEN k.system = 'hubspot' THEN k.record_id END, CASE WHEN k.system = 'falcana' THEN k.record_id END
FROM unnest($3::text[], $4::text[]) AS k (system, record_id)
WHERE NOT EXISTS (
    SELECT FROM link l WHERE l.connection_id = $1 AND l.object_type = $2
        AND CASE WHEN k.system = 'hubspot' THEN l.hubspot_id ELSE l.falcana_id END = k.record_id)
  AND NOT EXISTS (
    SELECT FROM former_id f
    WHERE f.connection_id = $1 AND f.object_type = $2 AND f.system = k.system AND f.record_id = k.record_id)
ON CONFLICT DO NOTHING;

-- name: links_named
-- Which link each record id means.
SELECT k.system, k.record_id, COALESCE(h.id, fa.id, f.link_id) AS link_id
FROM unnest($3::text[], $4::text[]) AS k (system, record_id)
LEFT JOIN link h ON k.system = 'hubspot' AND h.connection_id = $1 AND h.object_type = $2 AND h.hubspot_id = k.record_id
LEFT JOIN link fa ON k.system = 'falcana' AND fa.connection_id = $1 AND fa.object_type = $2 AND fa.falcana_id = k.record_id
LEFT JOIN former_id f ON f.connection_id = $1 AND f.object_type = $2 AND f.system = k.system AND f.record_id = k.record_id
WHERE COALESCE(h.id, fa.id, f.link_id) IS NOT NULL;

-- name: take_leases
-- Lease the links that are free or whose lease has run out; rows locked by another worker at this moment are busy.
UPDATE link SET lease_owner = $3, lease_until = clock_timestamp() + make_interval(secs => $2), fence = fence + 1
WHERE id IN (
    SELECT id FROM link
    WHERE id = ANY($1::bigint[]) AND (lease_until IS NULL OR lease_until <= clock_timestamp())
    ORDER BY id FOR UPDATE SKIP LOCKED)
RETURNING *;

-- name: release
-- End leases of this owner.
UPDATE link SET lease_owner = NULL, lease_until = NULL WHERE id = ANY($1::bigint[]) AND lease_owner = $2;

-- name: release_owned
-- End all leases of this owner.
UPDATE link SET lease_owner = NULL, lease_until = NULL WHERE lease_owner = $1;

-- name: links_by_id
-- Links by their own id.
SELECT * FROM link WHERE connection_id = $1 AND id = ANY($2::bigint[]);

-- name: known_hubspot
-- Dates of our last look at HubSpot records.
SELECT hubspot_id AS record_id, hubspot_modified_ms AS modified_ms, 0::bigint AS version
FROM link WHERE connection_id = $1 AND object_type = $2 AND hubspot_id = ANY($3::text[]);

-- name: known_falcana
-- Versions of our last look at falcana records.
SELECT falcana_id AS record_id, falcana_modified_ms AS modified_ms, falcana_version AS version
FROM link WHERE connection_id = $1 AND object_type = $2 AND falcana_id = ANY($3::text[]);

-- name: count_by_state
-- Links by object type and state.
SELECT object_type, state, count(*) AS links FROM link WHERE connection_id = $1 GROUP BY 1, 2 ORDER BY 1, 2;

-- name: in_state
-- Links of one state, oldest first.
SELECT * FROM link WHERE connection_id = $1 AND object_type = $2 AND state = $3 ORDER BY state_since, id;

-- name: delete_counts
-- What the delete brake weighs.
SELECT count(*) FILTER (WHERE state IN ('falcana_deleted_pending', 'held')) AS pending,
       count(*) FILTER (WHERE state = 'closed' AND reason = 'deleted_in_falcana'
                          AND state_since > clock_timestamp() - interval '1 hour') AS executed,
       count(*) FILTER (WHERE hubspot_id IS NOT NULL AND falcana_id IS NOT NULL
                          AND (state <> 'closed' OR state_since > clock_timestamp() - interval '1 hour')) AS links
FROM link WHERE connection_id = $1 AND object_type = $2;

-- name: remove_placeholders
-- Remove rows whose record becomes part of another link; only free, unlinked ones with a single id.
DELETE FROM link WHERE id = ANY($1::bigint[]) AND state = 'unlinked'
    AND (hubspot_id IS NULL OR falcana_id IS NULL)
    AND (lease_until IS NULL OR lease_until <= clock_timestamp() OR lease_owner = $2)
RETURNING id;

-- name: locked_links
-- The rows about to be updated, locked in one order, as they stand.
SELECT id, row_version, fence, lease_owner, hubspot_id, falcana_id FROM link
WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE;

-- name: holders_of
-- Which link holds a record id now.
SELECT hubspot_id, falcana_id, id FROM link
WHERE connection_id = $1 AND object_type = $2 AND (hubspot_id = ANY($3::text[]) OR falcana_id = ANY($4::text[]));

-- name: update_links
-- The new content of links whose version and fence were checked under lock.
UPDATE link SET
    hubspot_id = u.hubspot_id, falcana_id = u.falcana_id, state = u.state, fields = u.fields, open_intents = u.open_intents,
    hubspot_modified_ms = u.hubspot_modified_ms, falcana_modified_ms = u.falcana_modified_ms,
    falcana_version = u.falcana_version, unverified = u.unverified, erased = u.erased, parked = u.parked, reason = u.reason,
    state_since = CASE WHEN link.state = u.state THEN link.state_since ELSE clock_timestamp() END,
    row_version = link.row_version + 1,
    lease_owner = CASE WHEN u.release THEN NULL ELSE link.lease_owner END,
    lease_until = CASE WHEN u.release THEN NULL ELSE link.lease_until END
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::boolean[], $7::bigint[], $8::bigint[],
            $9::bigint[], $10::boolean[], $11::boolean[], $12::boolean[], $13::text[], $14::boolean[])
    AS u (id, hubspot_id, falcana_id, state, fields, open_intents, hubspot_modified_ms, falcana_modified_ms,
          falcana_version, unverified, erased, parked, reason, release)
WHERE link.id = u.id;

-- name: remember_former
-- Ids that led to a link before a merge.
INSERT INTO former_id (connection_id, object_type, system, record_id, link_id)
SELECT $1, $2, $3, f.record_id, f.link_id FROM unnest($4::text[], $5::bigint[]) AS f (record_id, link_id)
ON CONFLICT (connection_id, object_type, system, record_id) DO UPDATE SET link_id = EXCLUDED.link_id;

-- name: insert_decisions
-- Lines of the ledger.
INSERT INTO decision (connection_id, link_id, stage, action, reason, detail, causes) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: insert_conflicts
-- Values that lost, and record-level conflicts.
INSERT INTO conflict (connection_id, link_id, field, rule, winner, winner_value, loser) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: hold_fields
-- Fields that wait; the first time counts.
INSERT INTO held_field (connection_id, link_id, field, towards, reason) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (link_id, field) DO UPDATE SET towards = EXCLUDED.towards, reason = EXCLUDED.reason;

-- name: free_fields
-- Fields that travel again.
DELETE FROM held_field h USING unnest($1::bigint[], $2::text[]) AS f (link_id, field)
WHERE h.link_id = f.link_id AND h.field = f.field;

-- name: settle_retries
-- Records that are done.
DELETE FROM retry r USING unnest($1::integer[], $2::text[], $3::text[], $4::text[]) AS k (connection_id, object_type, system, record_id)
WHERE (r.connection_id, r.object_type, r.system, r.record_id) = (k.connection_id, k.object_type, k.system, k.record_id);

-- name: schedule_retry
-- Bring a record back; the wait doubles with every attempt of the same trouble, with jitter, up to six hours.
INSERT INTO retry (connection_id, object_type, system, record_id, category, reason, attempts, not_before, pull, push, run_id,
                   happening)
VALUES ($1, $2, $3, $4, $5, $6, 1, clock_timestamp() + make_interval(secs => $7), $8, $9, $10, $11)
ON CONFLICT (connection_id, object_type, system, record_id) DO UPDATE SET
    attempts = CASE WHEN retry.category = EXCLUDED.category THEN retry.attempts + 1 ELSE 1 END,
    category = EXCLUDED.category, reason = EXCLUDED.reason,
    not_before = clock_timestamp() + make_interval(secs =>
        CASE WHEN retry.category = EXCLUDED.category
             THEN LEAST($7 * power(2, LEAST(retry.attempts, 16)) * (0.75 + random() / 2), 21600) ELSE $7 END),
    pull = retry.pull OR EXCLUDED.pull, push = retry.push OR EXCLUDED.push, run_id = GREATEST(retry.run_id, EXCLUDED.run_id),
    happening = CASE WHEN retry.happening = 'erased' THEN 'erased' ELSE EXCLUDED.happening END;

-- name: due_retries
-- Rows whose time has come, put five minutes ahead so that a crash offers them again.
UPDATE retry SET not_before = clock_timestamp() + interval '5 minutes'
WHERE (connection_id, object_type, system, record_id) IN (
    SELECT connection_id, object_type, system, record_id FROM retry
    WHERE not_before <= clock_timestamp() ORDER BY not_before LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING *;

-- name: retries_by_category
-- How many records wait, and for what.
SELECT category, count(*) AS records FROM retry WHERE connection_id = $1 GROUP BY 1 ORDER BY 1;

-- name: park
-- Records that wait for a person.
INSERT INTO dead_letter (connection_id, object_type, system, record_id, category, reason) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (connection_id, object_type, system, record_id) DO UPDATE SET
    category = EXCLUDED.category, reason = EXCLUDED.reason, last_at = clock_timestamp(), times = dead_letter.times + 1;

-- name: unpark
-- Records that a later look brought into agreement.
DELETE FROM dead_letter d USING unnest($1::integer[], $2::text[], $3::text[], $4::text[]) AS k (connection_id, object_type, system, record_id)
WHERE (d.connection_id, d.object_type, d.system, d.record_id) = (k.connection_id, k.object_type, k.system, k.record_id);

-- name: count_run
-- Add to the numbers of a run; it ends when everything listed is counted.
UPDATE run SET created = created + $2, updated = updated + $3, unchanged = unchanged + $4, deleted = deleted + $5,
    blocked = blocked + $6, failed = failed + $7 WHERE id = $1;

-- name: get_checkpoint
-- Where a direction and object type stands.
SELECT position FROM checkpoint WHERE connection_id = $1 AND system = $2 AND object_type = $3;

-- name: set_checkpoint
-- Move it.
INSERT INTO checkpoint (connection_id, system, object_type, position) VALUES ($1, $2, $3, $4)
ON CONFLICT (connection_id, system, object_type) DO UPDATE SET position = EXCLUDED.position, succeeded_at = clock_timestamp();

-- name: all_checkpoints
-- All positions of a connection.
SELECT system, object_type, position, succeeded_at FROM checkpoint WHERE connection_id = $1 ORDER BY 1, 2;

-- name: all_connections
-- Every connection.
SELECT id, settings FROM connection ORDER BY id;

-- name: save_connection
-- Create or replace.
INSERT INTO connection (id, settings) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET settings = EXCLUDED.settings;

-- name: finish_counted
-- A run ends when everything listed is counted, whether or not somebody watches.
UPDATE run SET finished_at = clock_timestamp()
WHERE connection_id = $1 AND finished_at IS NULL AND listed
  AND created + updated + unchanged + deleted + blocked + failed >= expected;

-- name: start_run
-- A run, if none is active.
INSERT INTO run (connection_id, direction, kind) VALUES ($1, $2, $3) RETURNING id;

-- name: active_run
-- The run that is active.
SELECT id, started_at FROM run WHERE connection_id = $1 AND finished_at IS NULL;

-- name: expect_more
-- More records belong to the run.
UPDATE run SET expected = expected + $2 WHERE id = $1;

-- name: run_listed
-- Everything is listed.
UPDATE run SET listed = true WHERE id = $1;

-- name: run_progress
-- The numbers, ending the run when all are counted.
UPDATE run SET finished_at = CASE
    WHEN finished_at IS NULL AND listed
         AND created + updated + unchanged + deleted + blocked + failed >= expected THEN clock_timestamp()
    ELSE finished_at END
WHERE id = $1 RETURNING *;

-- name: abandon_run
-- End it as it is.
UPDATE run SET finished_at = clock_timestamp() WHERE id = $1 AND finished_at IS NULL;

-- name: held_count
-- Fields that wait.
SELECT count(*) AS fields FROM held_field WHERE connection_id = $1;

-- name: conflict_count
-- Open conflicts.
SELECT count(*) AS conflicts FROM conflict WHERE connection_id = $1 AND settled_at IS NULL;

-- name: parked
-- Parked records.
SELECT object_type, system, record_id, category, reason, first_at, last_at, times
FROM dead_letter WHERE connection_id = $1 ORDER BY last_at DESC LIMIT 1000;

-- name: held_of
-- Waiting fields of a link.
SELECT field, towards, reason, since FROM held_field WHERE link_id = $1 ORDER BY field;

-- name: conflicts_of
-- Conflicts of a link.
SELECT field, rule, winner, winner_value, loser, found_at, settled_at FROM conflict WHERE link_id = $1 ORDER BY id DESC;

-- name: ledger_of
-- The ledger's lines about a link.
SELECT decided_at, stage, action, reason, detail, causes FROM decision WHERE link_id = $1 ORDER BY decided_at, id;

-- name: erase_link
-- Forget the values of a link.
UPDATE link SET fields = '{}', open_intents = false, erased = true WHERE id = $1;

-- name: erase_ledger
-- Forget the values in the ledger, keeping that something happened.
UPDATE decision SET detail = jsonb_build_object('erased', md5(detail::text)) WHERE link_id = $1;

-- name: erase_conflicts
-- Forget the values in conflicts.
UPDATE conflict SET winner_value = NULL, loser = NULL WHERE link_id = $1;

-- name: take_budget
-- Book the next free moment of a bucket and tell how long to wait for it. $3 calls at once, $4 calls a second after that.
INSERT INTO api_budget AS b (connection_id, bucket, free_at)
VALUES ($1, $2, COALESCE($5, clock_timestamp()) + make_interval(secs => 1.0 / $4))
ON CONFLICT (connection_id, bucket) DO UPDATE SET
    free_at = GREATEST(b.free_at, COALESCE($5, clock_timestamp())) + make_interval(secs => 1.0 / $4)
RETURNING GREATEST(0, EXTRACT(EPOCH FROM b.free_at - COALESCE($5, clock_timestamp())) - $3 / $4)::float8 AS wait_s;
