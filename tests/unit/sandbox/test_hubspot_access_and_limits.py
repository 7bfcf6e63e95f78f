"""Who may call, and how often."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.unit.sandbox.hubspot_account import OBJECTS, SECRET, TOKEN, Account, Answer, account

APP = {"client_id": "sandbox-client-id", "client_secret": SECRET}
HALF_AN_HOUR_MS = 1800 * 1000


async def token(hubspot: Account, **form: str) -> Answer:
    return await hubspot.ask("POST", "/oauth/2026-09/token", token=None, data={**APP, **form})


async def test_without_a_token_nothing_is_answered() -> None:
    async with account() as hubspot:
        missing = await hubspot.ask("GET", f"{OBJECTS}/contacts", token=None)
        garbage = await hubspot.ask("GET", f"{OBJECTS}/contacts", token="garbage")

        assert (missing.status, missing.body["category"]) == (401, "INVALID_AUTHENTICATION")
        assert (garbage.status, garbage.body["category"]) == (401, "EXPIRED_AUTHENTICATION")
        assert garbage.body["context"] == {"expire time": ["1970-01-01T00:00:00Z"]}


async def test_the_burst_limit_answers_429_and_says_what_is_left() -> None:
    async with account(rate_limit_per_10s=3) as hubspot:
        answers = [await hubspot.ask("GET", f"{OBJECTS}/contacts") for _ in range(4)]

        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        left = [answer.headers["X-HubSpot-RateLimit-Remaining"] for answer in answers]
        assert left == ["2", "1", "0", "0"]
        assert answers[3].body["policyName"] == "TEN_SECONDLY_ROLLING"
        assert answers[3].body["errorType"] == "RATE_LIMIT"
        stats = await hubspot.person("GET", "/stats")
        assert (stats["calls"], stats["by_status"]) == ({"list": 4}, {"200": 3, "429": 1})
        assert stats["max_in_10s"] == 3


async def test_consent_leads_to_tokens_and_a_code_works_once() -> None:
    async with account() as hubspot:
        path = "/oauth/authorize?redirect_uri=http://localhost/back&state=s&client_id=x"
        async with hubspot.session.get(hubspot.url + path, allow_redirects=False) as page:
            back = parse_qs(urlsplit(page.headers["Location"]).query)
        form = {"grant_type": "authorization_code", "redirect_uri": "http://localhost/back", "code": back["code"][0]}

        first, again = [await token(hubspot, **form) for _ in range(2)]

        assert back["state"] == ["s"]
        assert (first.status, first.body["expires_in"], first.body["hub_id"]) == (200, 1800, 4711)
        assert (again.status, again.body["status"]) == (400, "BAD_AUTH_CODE")
        refreshed = await token(hubspot, grant_type="refresh_token", refresh_token=first.body["refresh_token"])
        assert refreshed.body["refresh_token"] == first.body["refresh_token"]
        for granted in (first, refreshed):
            assert (await hubspot.ask("GET", f"{OBJECTS}/contacts", token=granted.body["access_token"])).status == 200


async def test_a_granted_token_ends_after_half_an_hour_and_the_fixed_one_never() -> None:
    async with account() as hubspot:
        granted = await token(hubspot, grant_type="refresh_token", refresh_token="sandbox-refresh-token")
        await hubspot.person("POST", "/clock", {"offset_ms": HALF_AN_HOUR_MS + 75_000})

        late = await hubspot.ask("GET", f"{OBJECTS}/contacts", token=granted.body["access_token"])

        assert (late.status, late.body["category"]) == (401, "EXPIRED_AUTHENTICATION")
        assert (await hubspot.ask("GET", f"{OBJECTS}/contacts", token=TOKEN)).status == 200


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "BAD_REFRESH_TOKEN"),
        ({"grant_type": "authorization_code", "code": "x", "redirect_uri": "x"}, "BAD_AUTH_CODE"),
        ({"grant_type": "password"}, "BAD_GRANT_TYPE"),
        ({"client_secret": "x"}, "BAD_CLIENT_SECRET"),
        ({"client_id": "x"}, "BAD_CLIENT_ID"),
    ],
)
async def test_a_wrong_token_call_says_what_is_wrong(form: dict[str, str], status: str) -> None:
    async with account() as hubspot:
        answer = await token(hubspot, **form)

        assert (answer.status, answer.body["status"]) == (400, status)
        assert answer.body["error_description"] == answer.body["message"]


async def test_the_token_endpoint_reads_forms_only() -> None:
    async with account() as hubspot:
        body: dict[str, Any] = {**APP, "grant_type": "refresh_token", "refresh_token": "sandbox-refresh-token"}

        assert (await hubspot.ask("POST", "/oauth/2026-09/token", body, token=None)).status == 400


@pytest.mark.parametrize(("value", "active"), [(TOKEN, True), ("sandbox-refresh-token", True), ("garbage", False)])
async def test_a_token_can_be_looked_into(value: str, active: bool) -> None:
    async with account() as hubspot:
        path = "/oauth/2026-09/token/introspect"

        answer = await hubspot.ask("POST", path, token=None, data={**APP, "token": value})

        assert (answer.status, answer.body["active"]) == (200, active)
        assert answer.body.get("hub_id") == (4711 if active else None)


async def test_a_revoked_refresh_token_gives_nothing_more() -> None:
    async with account() as hubspot:
        form = {**APP, "token": "sandbox-refresh-token"}
        assert (await hubspot.ask("POST", "/oauth/2026-09/token/revoke", token=None, data=form)).status == 200

        answer = await token(hubspot, grant_type="refresh_token", refresh_token="sandbox-refresh-token")

        assert answer.body["status"] == "BAD_REFRESH_TOKEN"


async def test_the_account_says_who_it_is() -> None:
    async with account(ui_domain="app-eu1.hubspot.com") as hubspot:
        body = (await hubspot.ask("GET", "/account-info/2026-09/details")).body

        assert (body["portalId"], body["uiDomain"]) == (4711, "app-eu1.hubspot.com")
