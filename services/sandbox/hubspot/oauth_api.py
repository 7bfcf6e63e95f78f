"""Who may call: the fixed token of the account, and tokens handed out by the token endpoint for half an hour.

The consent page consents at once. Errors have the two shapes that HubSpot mixes (OAuth guide): RFC 6749 and its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiohttp import web
from yarl import URL

from services.sandbox.hubspot.answers import Fault, answer, fault
from services.sandbox.hubspot.portal import Portal
from services.sandbox.hubspot.values import iso

LIFETIME_S = 1800
SCOPES = (
    "oauth crm.objects.contacts.read crm.objects.contacts.write crm.objects.companies.read crm.objects.companies.write "
    "crm.schemas.contacts.read crm.schemas.contacts.write crm.schemas.companies.read crm.schemas.companies.write"
)
CREDENTIALS_MISSING = (
    "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at "
    "https://developers.hubspot.com/docs/methods/auth/oauth-overview"
)


@dataclass
class Tokens:
    """What was handed out. Access tokens map to their end in ms; the fixed one never ends."""

    fixed: str
    refresh: set[str]
    now_ms: Callable[[], int]
    rng: Random
    access: dict[str, int] = field(default_factory=dict)
    codes: set[str] = field(default_factory=set)

    def check(self, header: str | None) -> None:
        """Raise the 401 that a missing, unknown or expired token deserves."""
        scheme, _, token = (header or "").partition(" ")
        if not token or scheme.lower() != "bearer":
            raise fault(401, CREDENTIALS_MISSING, "INVALID_AUTHENTICATION")
        if token == self.fixed:
            return
        ends_ms, now = self.access.get(token, 0), self.now_ms()
        if ends_ms <= now:
            raise _expired(ends_ms, now)

    def grant(self) -> str:
        """A new access token."""
        token = f"CK{self._random()}"
        self.access[token] = self.now_ms() + LIFETIME_S * 1000
        return token

    def code(self) -> str:
        """A code for one exchange."""
        code = f"na1-{self._random()}"
        self.codes.add(code)
        return code

    def _random(self) -> str:
        return f"{self.rng.getrandbits(128):032x}"


def _expired(ends_ms: int, now_ms: int) -> Fault:
    """The same answer for an old token and for one that never was."""
    ago_s = (now_ms - ends_ms) // 1000
    ago = f"{ago_s // 86_400} day(s)" if ends_ms == 0 else f"{ago_s} second(s)"
    text = f"The OAuth token used to make this call expired {ago} ago."
    return fault(401, text, "EXPIRED_AUTHENTICATION", context={"expire time": [iso(ends_ms)]})


def _refused(status: str, error: str, message: str) -> Fault:
    body = {"error": error, "error_description": message, "status": status, "message": message}
    return Fault(400, body)


class OAuth:
    """Handlers of /oauth."""

    def __init__(self, portal: Portal, tokens: Tokens, client_id: str, client_secret: str) -> None:
        self.portal = portal
        self.tokens = tokens
        self.client_id = client_id
        self.client_secret = client_secret

    def add_routes(self, app: web.Application) -> None:
        """The consent page and the token endpoints of every version."""
        app.add_routes(
            [
                web.get("/oauth/authorize", self.authorize),
                web.post("/oauth/{version}/token", self.token),
                web.post("/oauth/{version}/token/introspect", self.introspect),
                web.post("/oauth/{version}/token/revoke", self.revoke),
            ]
        )

    async def authorize(self, request: web.Request) -> web.StreamResponse:
        """Back to the app with a code, as if a person had consented."""
        target = request.query.get("redirect_uri")
        if not target:
            raise _refused("BAD_REDIRECT_URI", "invalid_request", "missing or invalid redirect uri")
        back = URL(target).update_query({"code": self.tokens.code(), "state": request.query.get("state", "")})
        return web.Response(status=302, headers={"Location": str(back)})

    async def _form(self, request: web.Request) -> dict[str, str]:
        """The form of a call by this app: only form encoding is read. Raises 400 for a wrong id or secret."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        if form.get("client_id") != self.client_id:
            raise _refused("BAD_CLIENT_ID", "invalid_client", "missing or unknown client id")
        if form.get("client_secret") != self.client_secret:
            raise _refused("BAD_CLIENT_SECRET", "invalid_client", "missing or invalid client secret")
        return form

    async def token(self, request: web.Request) -> web.Response:
        """A new access token, for a code that was not used yet or for a refresh token."""
        form = await self._form(request)
        match form.get("grant_type"):
            case "authorization_code":
                return self._first(form)
            case "refresh_token":
                return self._again(form)
        raise _refused("BAD_GRANT_TYPE", "unsupported_grant_type", "missing or unknown grant type")

    def _first(self, form: dict[str, str]) -> web.Response:
        if form.get("code", "") not in self.tokens.codes:
            raise _refused("BAD_AUTH_CODE", "invalid_grant", "missing or unknown auth code")
        if not form.get("redirect_uri"):
            raise _refused("BAD_REDIRECT_URI", "invalid_request", "missing or invalid redirect uri")
        self.tokens.codes.discard(form["code"])
        refresh = f"na1-{self.tokens.grant()[2:]}"
        self.tokens.refresh.add(refresh)
        return self._granted(refresh)

    def _again(self, form: dict[str, str]) -> web.Response:
        if form.get("refresh_token", "") not in self.tokens.refresh:
            raise _refused("BAD_REFRESH_TOKEN", "invalid_grant", "refresh token is invalid, expired or revoked")
        return self._granted(form["refresh_token"])

    def _granted(self, refresh: str) -> web.Response:
        body = {
            "token_type": "bearer",
            "token_use": "access_token",
            "refresh_token": refresh,
            "access_token": self.tokens.grant(),
            "hub_id": self.portal.identity.portal_id,
            "scopes": SCOPES.split(),
            "expires_in": LIFETIME_S,
        }
        return answer(body)

    async def introspect(self, request: web.Request) -> web.Response:
        """What a token is; 200 also for one that is not known."""
        form = await self._form(request)
        token = form.get("token") or form.get("access_token") or form.get("refresh_token") or ""
        left_s = (self.tokens.access.get(token, 0) - self.tokens.now_ms()) // 1000
        if token in self.tokens.refresh:
            return answer(self._described(token, "refresh_token"))
        if token == self.tokens.fixed or left_s > 0:
            left = {"expires_in": LIFETIME_S if token == self.tokens.fixed else left_s}
            return answer(self._described(token, "access_token") | left)
        return answer({"active": False})

    def _described(self, token: str, use: str) -> dict[str, Any]:
        identity = self.portal.identity
        return {
            "active": True,
            "token": token,
            "token_use": use,
            "token_type": "Bearer",
            "hub_id": identity.portal_id,
            "app_id": identity.app_id,
            "client_id": self.client_id,
            "scopes": SCOPES.split(),
            "is_private_distribution": True,
        }

    async def revoke(self, request: web.Request) -> web.Response:
        """200 also for unknown tokens; access tokens that were handed out already live on."""
        form = await self._form(request)
        self.tokens.refresh.discard(form.get("token", ""))
        return answer({})
