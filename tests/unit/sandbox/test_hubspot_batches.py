"""Batches of records: what fails alone, what fails together, and what is left out in silence."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.hubspot_account import OBJECTS, Account, Answer, account

CONTACTS = f"{OBJECTS}/contacts/batch"


async def names(hubspot: Account) -> list[str]:
    return sorted(one["properties"].get("firstname", "") for one in await hubspot.person("GET", "/records/contacts"))


async def test_a_batch_read_finds_some_and_names_the_others() -> None:
    async with account() as hubspot:
        known = await hubspot.made("contacts", firstname="Max")
        body = {"inputs": [{"id": known}, {"id": "1"}, {"id": "2"}], "properties": ["firstname"]}

        answer = await hubspot.ask("POST", f"{CONTACTS}/read", body)

        assert answer.status == 207
        assert [one["id"] for one in answer.body["results"]] == [known]
        assert answer.body["numErrors"] == 1
        assert answer.body["errors"][0]["category"] == "OBJECT_NOT_FOUND"
        assert answer.body["errors"][0]["context"] == {"ids": ["1", "2"]}


async def test_a_batch_read_by_email_answers_with_the_histories() -> None:
    async with account() as hubspot:
        await hubspot.made("contacts", firstname="Max", email="a@example.com")
        body = {"inputs": [{"id": "A@example.com"}], "idProperty": "email", "propertiesWithHistory": ["firstname"]}

        answer = await hubspot.ask("POST", f"{CONTACTS}/read", body)

        assert answer.status == 200
        assert answer.body["results"][0]["propertiesWithHistory"]["firstname"][0]["value"] == "Max"


@pytest.mark.parametrize(("more", "most"), [({}, 100), ({"propertiesWithHistory": ["email"]}, 50)])
async def test_a_batch_has_a_largest_size(more: dict[str, Any], most: int) -> None:
    async with account() as hubspot:
        sizes = []
        for size in (most, most + 1):
            inputs = [{"id": str(number)} for number in range(1, size + 1)]
            sizes.append((await hubspot.ask("POST", f"{CONTACTS}/read", {"inputs": inputs, **more})).status)

        assert sizes == [207, 400]


async def test_untraced_creations_fail_together_and_write_nothing() -> None:
    async with account() as hubspot:
        await hubspot.made("contacts", firstname="first", email="a@example.com")
        rows = [{"properties": {"firstname": "good"}}, {"properties": {"email": "a@example.com"}}]

        answer = await hubspot.ask("POST", f"{CONTACTS}/create", {"inputs": rows})

        assert (answer.status, answer.body["message"]) == (409, "Contact already exists")
        assert await names(hubspot) == ["first"]


async def test_traced_creations_fail_alone() -> None:
    async with account() as hubspot:
        holder = await hubspot.made("contacts", firstname="first", email="a@example.com")
        rows = [
            {"objectWriteTraceId": "0", "properties": {"firstname": "good"}},
            {"objectWriteTraceId": "1", "properties": {"email": "a@example.com"}},
            {"objectWriteTraceId": "2", "properties": {"nope": "x"}},
        ]

        answer = await hubspot.ask("POST", f"{CONTACTS}/create", {"inputs": rows})

        assert answer.status == 207
        assert [row["objectWriteTraceId"] for row in answer.body["results"]] == ["0"]
        taken, bad = answer.body["errors"]
        assert taken["context"] == {"existingId": [holder], "objectWriteTraceId": ["1"]}
        assert (bad["category"], bad["context"]) == ("VALIDATION_ERROR", {"objectWriteTraceId": ["2"]})
        assert await names(hubspot) == ["first", "good"]


async def test_an_update_answers_row_by_row_with_trace_ids() -> None:
    async with account() as hubspot:
        good, bad = [await hubspot.made("contacts", firstname=name) for name in "ab"]
        inputs = [
            {"id": good, "objectWriteTraceId": "7", "properties": {"phone": "1"}},
            {"id": bad, "objectWriteTraceId": "8", "properties": {"phone": "1", "nope": "x"}},
            {"id": "424242", "objectWriteTraceId": "9", "properties": {}},
            {"id": "424243", "objectWriteTraceId": "10", "properties": {}},
        ]

        answer = await hubspot.ask("POST", f"{CONTACTS}/update", {"inputs": inputs})

        assert answer.status == 207
        (row,) = answer.body["results"]
        assert (row["id"], row["objectWriteTraceId"], row["properties"]["phone"]) == (good, "7", "1")
        invalid, missing = answer.body["errors"]
        assert invalid["context"] == {"objectWriteTraceId": ["8"]}
        assert missing["context"] == {"ids": ["424242", "424243"], "objectWriteTraceId": ["9,10"]}
        assert "phone" not in (await hubspot.person("GET", f"/records/contacts/{bad}"))["properties"]


async def test_a_merged_id_is_left_out_of_an_update_without_a_word() -> None:
    async with account() as hubspot:
        one, two = [await hubspot.made("contacts", firstname=name) for name in "ab"]
        body = {"primaryObjectId": one, "objectIdToMerge": two}
        await hubspot.ask("POST", f"{OBJECTS}/contacts/merge", body)

        answer = await hubspot.ask(
            "POST", f"{CONTACTS}/update", {"inputs": [{"id": two, "properties": {"phone": "1"}}]}
        )

        assert (answer.status, answer.body["results"]) == (200, [])
        assert "errors" not in answer.body


async def test_an_id_may_stand_only_once_in_a_batch() -> None:
    async with account() as hubspot:
        record_id = await hubspot.made("contacts", firstname="a")

        answer = await hubspot.ask("POST", f"{CONTACTS}/update", {"inputs": [{"id": record_id, "properties": {}}] * 2})

        assert (answer.status, answer.body["context"]) == (400, {"ids": [record_id]})


async def upsert(hubspot: Account, id_property: str, *rows: tuple[str, dict[str, str]]) -> Answer:
    inputs = [{"id": value, "idProperty": id_property, "properties": properties} for value, properties in rows]
    return await hubspot.ask("POST", f"{CONTACTS}/upsert", {"inputs": inputs})


async def test_a_repeated_upsert_finds_what_the_first_one_made() -> None:
    async with account() as hubspot:
        await hubspot.unique("contacts")

        first = await upsert(hubspot, "falcana_id", ("F1", {"firstname": "Max"}))
        again = await upsert(hubspot, "falcana_id", ("F1", {"firstname": "Max"}))

        assert [answer.body["results"][0]["new"] for answer in (first, again)] == [True, False]
        assert first.body["results"][0]["properties"]["falcana_id"] == "F1"
        assert await names(hubspot) == ["Max"]


async def test_an_upsert_fails_row_by_row_for_an_own_property_and_as_a_whole_for_an_email() -> None:
    async with account() as hubspot:
        await hubspot.unique("contacts")
        good, bad = {"firstname": "good"}, {"firstname": "bad", "nope": "x"}

        own = await upsert(hubspot, "falcana_id", ("F1", good), ("F2", bad))
        by_email = await upsert(hubspot, "email", ("a@example.com", good), ("b@example.com", bad))

        assert (own.status, own.body["numErrors"]) == (207, 1)
        assert by_email.status == 400
        assert await names(hubspot) == ["good"]


async def test_archiving_is_always_done() -> None:
    async with account() as hubspot:
        record_id = await hubspot.made("contacts", firstname="a")

        answers = [
            await hubspot.ask("POST", f"{CONTACTS}/archive", {"inputs": [{"id": record_id}, {"id": "1"}]})
            for _ in range(2)
        ]

        assert [answer.status for answer in answers] == [204, 204]
        assert await names(hubspot) == []
