"""falcana's client keeps the port's promises, with and without batches, and with falcana's own peculiarities."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest

from schemas.records import EMPTY
from schemas.seen import Presence
from services.crm import FeedExpired, Outdated, Refused, Rejected, Unclear, Write, Written
from tests.contracts.crm_contract import CrmContract
from tests.contracts.crm_sides import COMPANY, CONTACT, FalcanaSide, change, changes_since, falcana_side, new, values


@pytest.fixture
async def side() -> AsyncIterator[FalcanaSide]:
    async with falcana_side() as made:
        yield made


class TestFalcanaSandbox(CrmContract):
    @pytest.fixture
    async def side(self) -> AsyncIterator[FalcanaSide]:
        async with falcana_side() as made:
            yield made


class TestFalcanaWithoutBatches(CrmContract):
    """An installation that takes only single calls and answers a stale version with 409."""

    @pytest.fixture
    async def side(self) -> AsyncIterator[FalcanaSide]:
        async with falcana_side(faehigkeiten="webhooks,feld_zeiten,idempotenz", conflict_status=409) as made:
            yield made


@pytest.mark.parametrize("faehigkeiten", ["stapel,sammelabruf,feld_zeiten,idempotenz", "idempotenz"])
@pytest.mark.parametrize("conflict_status", [409, 412])
async def test_a_write_based_on_an_old_version_is_outdated(faehigkeiten: str, conflict_status: int) -> None:
    async with falcana_side(faehigkeiten=faehigkeiten, conflict_status=conflict_status) as side:
        record_id = await side.make(COMPANY, {"name": "Huber", "city": "Wien"})
        seen = (await side.crm.read(COMPANY, [record_id]))[record_id]
        await side.edit(COMPANY, record_id, {"city": "Linz"})

        assert await side.crm.update(COMPANY, [change(1, seen, city="Graz")]) == [Outdated(ref=1)]
        assert (await side.show(COMPANY, record_id))["city"] == "Linz"


async def test_a_written_version_is_the_one_that_is_read(side: FalcanaSide) -> None:
    record_id = await side.make(COMPANY, {"name": "Huber"})
    seen = (await side.crm.read(COMPANY, [record_id]))[record_id]

    written = (await side.crm.update(COMPANY, [change(1, seen, city="Graz")]))[0]

    assert isinstance(written, Written)
    again = (await side.crm.read(COMPANY, [record_id]))[record_id]
    assert written.seen.version == again.version > seen.version


async def test_a_hidden_record_is_hidden_and_never_deleted(side: FalcanaSide) -> None:
    record_id = await side.make(COMPANY, {"name": "Huber"})
    await side.control.ask("POST", f"/records/adressen/{record_id}/hide")

    seen = await side.crm.read(COMPANY, [record_id, "999999"])

    assert seen[record_id].presence is Presence.HIDDEN
    assert seen["999999"].presence is Presence.HIDDEN


async def test_a_tombstone_tells_a_delete_from_an_erasure(side: FalcanaSide) -> None:
    company = await side.make(COMPANY, {"name": "Huber"})
    deleted, erased = [await side.make(CONTACT, {"last_name": text}, company) for text in "AB"]
    await side.delete(CONTACT, deleted)
    await side.control.ask("POST", f"/records/ansprechpartner/{erased}/anonymise")

    seen = await side.crm.read(CONTACT, [deleted, erased])

    assert {one.presence for one in seen.values()} == {Presence.DELETED}
    assert all(one.deleted_ms for one in seen.values())
    assert (seen[deleted].erased, seen[erased].erased) == (False, True)


async def test_a_private_person_is_one_adresse_with_one_ansprechpartner(side: FalcanaSide) -> None:
    result = (await side.crm.create(CONTACT, [new(1, "7001", "", first_name="Eva", last_name="Muster")]))[0]

    assert isinstance(result, Written)
    assert await side.ids(CONTACT) == [result.seen.record_id]
    holders = await side.ids(COMPANY)
    assert len(holders) == 1
    assert (await side.crm.read(COMPANY, holders))[holders[0]].holder
    assert (await side.show(COMPANY, holders[0]))["name"] == "Eva Muster"


async def test_a_private_person_has_no_company_when_found_either(side: FalcanaSide) -> None:
    await side.crm.create(CONTACT, [new(1, "7001", "", last_name="Muster", email="eva@example.com")])

    found = await side.crm.find(CONTACT, {1: {"email": "eva@example.com"}})

    assert [one.parent_id for one in found[1]] == [""]


async def test_a_person_cannot_be_taken_out_of_every_company(side: FalcanaSide) -> None:
    company = await side.make(COMPANY, {"name": "Huber"})
    person = await side.make(CONTACT, {"last_name": "Muster"}, company)
    seen = (await side.crm.read(CONTACT, [person]))[person]
    write = Write(
        ref=1,
        record_id=person,
        version=seen.version,
        values=values(position="Chef"),
        parent_id="",
        former_parent_id=company,
    )

    result = (await side.crm.update(CONTACT, [write]))[0]

    assert isinstance(result, Written)
    assert not result.parent_written
    assert (await side.show(CONTACT, person))["parent"] == company


async def test_field_times_tell_our_writes_from_those_of_a_person(side: FalcanaSide) -> None:
    record_id = await side.make(COMPANY, {"name": "Huber", "city": "Wien"})
    before = (await side.crm.read(COMPANY, [record_id]))[record_id]
    await side.crm.update(COMPANY, [change(1, before, city="Graz")])

    seen = (await side.crm.read(COMPANY, [record_id]))[record_id]

    assert (seen.field_times["city"].own, seen.field_times["name"].own) == (True, False)
    assert seen.edited_ms == before.edited_ms < seen.modified_ms


async def test_a_mandatory_field_cannot_be_cleared_and_the_rest_is_written(side: FalcanaSide) -> None:
    record_id = await side.make(COMPANY, {"name": "Huber"})
    seen = (await side.crm.read(COMPANY, [record_id]))[record_id]
    write = Write(ref=1, record_id=record_id, version=seen.version, values={"name": EMPTY} | values(city="Graz"))

    result = (await side.crm.update(COMPANY, [write]))[0]

    assert isinstance(result, Written)
    assert result.refused == {"name": "pflichtfeld_fehlt"}
    assert (await side.show(COMPANY, record_id))["city"] == "Graz"


async def test_a_create_without_what_is_mandatory_is_rejected_for_good(side: FalcanaSide) -> None:
    result = (await side.crm.create(COMPANY, [new(1, "7001", city="Wien")]))[0]

    assert isinstance(result, Rejected)
    assert "pflichtfeld_fehlt" in result.reason


async def test_a_create_whose_values_changed_since_a_lost_answer_is_looked_for_first(side: FalcanaSide) -> None:
    await side.crm.create(COMPANY, [new(1, "7001", name="Huber")])

    result = (await side.crm.create(COMPANY, [new(1, "7001", name="Hueber")]))[0]

    assert isinstance(result, Unclear)
    assert len(await side.ids(COMPANY)) == 1


async def test_own_changes_and_deletes_and_merges_are_told_by_the_feed(side: FalcanaSide) -> None:
    ids = [await side.make(COMPANY, {"name": f"F{number}"}) for number in range(4)]
    position = await side.crm.present_position(COMPANY, 0)
    seen = (await side.crm.read(COMPANY, ids))[ids[0]]
    await side.crm.update(COMPANY, [change(1, seen, city="Graz")])
    await side.delete(COMPANY, ids[1])
    await side.merge(COMPANY, ids[2], ids[3])
    await side.delete(COMPANY, ids[2])
    await side.control.ask("POST", f"/records/adressen/{ids[2]}/restore")

    found, _ = await changes_since(side.crm, COMPANY, position)
    by_id = {one.record_id: one for one in found}

    assert by_id[ids[0]].own
    assert by_id[ids[0]].fields == ("ort",)
    assert by_id[ids[1]].gone
    assert not by_id[ids[1]].own
    assert by_id[ids[3]].survivor_id == ids[2]
    assert by_id[ids[2]].restored


async def test_an_old_position_is_expired_and_never_an_empty_page(side: FalcanaSide) -> None:
    await side.make(COMPANY, {"name": "Huber"})
    position = await side.crm.present_position(COMPANY, 0)
    await side.control.ask("POST", "/feed/forget", {"bis_seq": int(position) + 1})

    with pytest.raises(FeedExpired):
        await side.crm.changes(COMPANY, position, 0)


async def test_the_sync_deletes_nothing_in_falcana(side: FalcanaSide) -> None:
    record_id = await side.make(COMPANY, {"name": "Huber"})

    with pytest.raises(Refused):
        await side.crm.archive(COMPANY, [record_id])

    assert await side.ids(COMPANY) == [record_id]


async def test_an_answer_with_id_and_version_alone_leaves_the_fields_open(side: FalcanaSide) -> None:
    record_id = await side.make(COMPANY, {"name": "Huber"})
    seen = (await side.crm.read(COMPANY, [record_id]))[record_id]
    row = {"ref": "1", "status": 200, "daten": {"id": int(record_id), "version": seen.version + 1}}
    fault = {"match": "POST /api/v1/stapel", "do": "status", "status": 200, "body": {"ergebnisse": [row]}}
    await side.control.ask("POST", "/faults", fault)

    result = (await side.crm.update(COMPANY, [change(1, seen, city="Graz")]))[0]

    assert isinstance(result, Written)
    assert result.seen.values == {}
    assert result.seen.version == seen.version + 1


async def test_the_second_half_of_a_long_write_fails_alone(side: FalcanaSide) -> None:
    ids = [await side.make(COMPANY, {"name": f"F{number}"}) for number in range(150)]
    seen = await side.crm.read(COMPANY, ids)
    writes = [change(number, seen[one], city="Graz") for number, one in enumerate(ids)]
    stale = msgspec.structs.replace(writes[0], values=values(city="Wien"))
    await side.crm.update(COMPANY, [stale])
    await side.control.ask("POST", "/faults", {"match": "POST /api/v1/stapel", "do": "delay", "delay_ms": 0})
    await side.control.ask("POST", "/faults", {"match": "POST /api/v1/stapel", "do": "status", "status": 500})

    results = await side.crm.update(COMPANY, writes)

    assert isinstance(results[0], Outdated)
    assert all(isinstance(one, Written) for one in results[1:100])
    assert all(isinstance(one, Unclear) for one in results[100:])
