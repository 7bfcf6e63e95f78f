"""Faults on demand, and what the control interface shows of writes."""

from __future__ import annotations

import asyncio
import sys

import aiohttp
import pytest

from tests.unit.sandbox.hubspot_account import OBJECTS, account


async def test_a_fault_answers_instead_as_often_as_it_was_asked_to() -> None:
    async with account() as hubspot:
        await hubspot.person(
            "POST", "/faults", {"match": "GET .*contacts", "do": "status", "status": 477, "times": 2, "body": {"a": 1}}
        )

        answers = [await hubspot.ask("GET", f"{OBJECTS}/{kind}") for kind in ("companies", "contacts", "contacts")]
        after = await hubspot.ask("GET", f"{OBJECTS}/contacts")

        assert [answer.status for answer in [*answers, after]] == [200, 477, 477, 200]
        assert answers[1].body == {"a": 1}
        assert await hubspot.person("GET", "/faults") == []


async def test_a_cut_connection_hides_a_write_that_was_made() -> None:
    async with account() as hubspot:
        await hubspot.person("POST", "/faults", {"match": "POST .*companies$", "do": "drop_after_apply"})

        with pytest.raises(aiohttp.ClientError):
            await hubspot.ask("POST", f"{OBJECTS}/companies", {"properties": {"name": "A"}})

        assert [one["properties"]["name"] for one in await hubspot.person("GET", "/records/companies")] == ["A"]


async def test_a_delayed_write_is_made_although_nobody_waits_any_more() -> None:
    async with account() as hubspot:
        await hubspot.person("POST", "/faults", {"match": "POST .*companies$", "do": "delay", "delay_ms": 200})

        body = {"properties": {"name": "A"}}
        with pytest.raises(TimeoutError):
            await hubspot.ask("POST", f"{OBJECTS}/companies", body, timeout=aiohttp.ClientTimeout(total=0.05))

        async with asyncio.timeout(5):
            while not hubspot.receiver.events:
                await hubspot.person("POST", "/webhooks/flush")
        assert len(await hubspot.person("GET", "/records/companies")) == 1


async def test_a_person_can_be_faster_than_a_write() -> None:
    async with account() as hubspot:
        record_id = await hubspot.made("companies", name="A")
        faster = {
            "method": "PATCH",
            "path": f"/_control/records/companies/{record_id}",
            "json": {"properties": {"name": "person"}},
        }
        await hubspot.person("POST", "/faults", {"match": "PATCH", "do": "act", "act": faster})

        await hubspot.ask("PATCH", f"{OBJECTS}/companies/{record_id}", {"properties": {"name": "app"}})

        shown = await hubspot.read("companies", record_id, propertiesWithHistory="name")
        assert [one["value"] for one in shown["propertiesWithHistory"]["name"]] == ["app", "person", "A"]


async def test_an_act_that_fails_does_not_pass_unseen() -> None:
    async with account() as hubspot:
        act = {"method": "DELETE", "path": "/_control/records/companies/424242"}
        await hubspot.person("POST", "/faults", {"match": "GET", "do": "act", "act": act})

        assert (await hubspot.ask("GET", f"{OBJECTS}/companies")).status == 500


@pytest.mark.parametrize("spec", [{"match": "(", "do": "status"}, {"match": "x", "do": "explode"}, {"do": "act"}])
async def test_a_fault_that_makes_no_sense_is_refused(spec: dict[str, str]) -> None:
    async with account() as hubspot:
        assert (await hubspot.ask("POST", "/_control/faults", spec)).status == 400


async def test_writes_of_the_app_are_listed_and_those_of_people_are_not() -> None:
    async with account() as hubspot:
        record_id = await hubspot.made("companies", name="A")
        for name in ("B", "B"):
            inputs = [{"id": record_id, "properties": {"name": name}}]
            await hubspot.ask("POST", f"{OBJECTS}/companies/batch/update", {"inputs": inputs})

        first, second = await hubspot.person("GET", "/writes")
        stats = await hubspot.person("GET", "/stats")

        assert (first["op"], first["id"], first["properties"], first["changed"]) == (
            "update",
            record_id,
            {"name": "B"},
            1,
        )
        assert second["changed"] == 0
        assert first["source"] == "INTEGRATION:99"
        assert (stats["records_written"], stats["property_writes"]) == (2, 1)
        assert stats["calls"] == {"batch/update": 2}
        await hubspot.person("POST", "/stats/reset")
        assert (await hubspot.person("GET", "/stats"))["total_calls"] == 0


async def test_an_import_is_silent_dated_and_relates_people_to_companies() -> None:
    async with account() as hubspot:
        body = {
            "companies": [{"properties": {"name": "A"}}, {"name": "B"}],
            "contacts": [{"properties": {"firstname": "Max", "company": "text"}, "company": 1}],
            "modified_at": "2026-01-02T03:04:05Z",
        }

        made = await hubspot.person("POST", "/import", body)

        (person,) = await hubspot.person("GET", "/records/contacts")
        assert person["primaryCompanyId"] == made["companies"][1]
        assert person["properties"]["company"] == "text"
        assert person["modified"] == "2026-01-02T03:04:05Z"
        assert await hubspot.told() == []


async def test_an_import_with_a_bad_value_imports_nothing() -> None:
    async with account() as hubspot:
        body = {"companies": [{"name": "A"}, {"name": "B", "nope": "x"}]}

        assert (await hubspot.ask("POST", "/_control/import", body)).status == 400
        assert await hubspot.person("GET", "/records/companies") == []


async def test_the_command_says_where_it_listens() -> None:
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "services.sandbox", "hubspot", "--portal-id", "7", "--access-token", "x"],
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        assert line.startswith("listening on http://127.0.0.1:")
        url = line.removeprefix("listening on ").strip()
        async with (
            aiohttp.ClientSession(headers={"Authorization": "Bearer x"}) as session,
            session.get(f"{url}/account-info/2026-09/details") as answer,
        ):
            assert (await answer.json())["portalId"] == 7
    finally:
        process.terminate()
        await process.wait()
