"""HTTP to a CRM: one session, one budget, and the one layer of quick retries.

A few tries with jitter for what is safe to repeat: reads, and writes that certainly were not carried out (refused
connection, 423, 429). A write whose answer was lost is never repeated here; it is observed by the main path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Protocol, Self

import aiohttp
import msgspec
import tenacity

from services.clock import Clock
from services.crm import RateLimited, Unavailable
from services.telemetry import api_limiter_wait_seconds, api_request_duration_seconds, api_requests_total, log

TRIES = 3
TIMEOUT_S = 20.0
SHORT_WAIT_S = 10.0
LOCKED_WAIT_S = 2.0
AGAIN_STATUSES = frozenset({502, 503, 504, 521, 522, 523, 524, 525, 526, 530})
POLICY_WAIT_S = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 10.0, "DAILY": 3600.0}
"""How long each of HubSpot's limits lasts; its answers name the limit and promise no Retry-After."""
Token = Callable[[], Awaitable[str]]


class Budget(Protocol):
    """The limits of an account, shared by all processes."""

    async def take(self, bucket: str = "burst") -> float:
        """Wait until one call of this kind is within the limits; the seconds waited."""
        ...


class Answer(msgspec.Struct, frozen=True):
    """What came back: status, headers in lower case, and the JSON body, ``{}`` where there is none."""

    status: int
    headers: dict[str, str]
    body: Any


class Call(msgspec.Struct, frozen=True):
    """What is to be sent. ``safe`` says that repeating has no effect."""

    method: str
    path: str
    endpoint: str
    body: Any
    params: Mapping[str, str] | None
    headers: Mapping[str, str] | None
    safe: bool
    bucket: str


class _Again(Exception):
    """Safe to try once more after ``wait_s``."""

    def __init__(self, wait_s: float, cause: Unavailable) -> None:
        super().__init__(str(cause))
        self.wait_s = wait_s
        self.cause = cause


class Transport:
    """Calls one system. Use as an async context manager, or call ``close``."""

    def __init__(
        self,
        base_url: str,
        token: Token,
        clock: Clock,
        system: str,
        budget: Budget | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._clock = clock
        self._system = system
        self._budget = budget
        self._headers = dict(headers or {})
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=5)
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self,
        method: str,
        path: str,
        *,
        endpoint: str,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        safe: bool = False,
        bucket: str = "burst",
    ) -> Answer:
        """One call, with quick retries where they cannot do harm. ``safe`` says that repeating has no effect.

        Returns every answer below 500 except 423 and 429. Raises RateLimited and Unavailable: then nothing is known.
        """
        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(TRIES),
            wait=_wait,
            retry=tenacity.retry_if_exception_type(_Again),
            sleep=self._clock.sleep,
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    return await self._once(Call(method, path, endpoint, body, params, headers, safe, bucket))
        except _Again as again:
            raise again.cause from None
        raise AssertionError("tenacity ended without an answer")

    async def _once(self, call: Call) -> Answer:
        endpoint, safe = call.endpoint, call.safe
        if self._budget is not None:
            api_limiter_wait_seconds.observe(await self._budget.take(call.bucket))
        started = self._clock.monotonic_s()
        try:
            answer = await self._send(call)
        except aiohttp.ClientConnectorError as error:
            self._count(endpoint, "refused")
            raise _Again(0.2, Unavailable(f"{self._system} refused the connection: {type(error).__name__}")) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._count(endpoint, "lost")
            lost = Unavailable(f"no answer from {self._system}: {type(error).__name__}")
            raise (_Again(0.2, lost) if safe else lost) from error
        api_request_duration_seconds.labels(self._system, endpoint).observe(self._clock.monotonic_s() - started)
        self._count(endpoint, str(answer.status))
        return self._judge(answer, safe)

    def _judge(self, answer: Answer, safe: bool) -> Answer:
        if answer.status in (423, 429):
            wait_s = retry_after_s(answer.headers, LOCKED_WAIT_S if answer.status == 423 else _window_s(answer.body))
            wait_s = max(wait_s, LOCKED_WAIT_S) if answer.status == 423 else wait_s
            limited = RateLimited(f"{self._system} answered {answer.status}", wait_s)
            raise _Again(wait_s, limited) if wait_s <= SHORT_WAIT_S else limited
        if answer.status == 477:
            raise RateLimited(f"{self._system} is moving the account", retry_after_s(answer.headers, 3600.0))
        if answer.status >= 500 or answer.status == 408:
            failed = Unavailable(f"{self._system} answered {answer.status}")
            raise _Again(0.5, failed) if safe and answer.status in AGAIN_STATUSES else failed
        return answer

    async def _send(self, call: Call) -> Answer:
        session = self._open()
        headers = {"Authorization": f"Bearer {await self._token()}", **self._headers, **(call.headers or {})}
        data = None if call.body is None else msgspec.json.encode(call.body)
        if data is not None:
            headers["Content-Type"] = "application/json"
        async with session.request(
            call.method,
            self._base_url + call.path,
            data=data,
            params=call.params,
            headers=headers,
            allow_redirects=False,
        ) as response:
            raw = await response.read()
            lowered = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, lowered, _parsed(raw, response.status))

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        return self._session

    def _count(self, endpoint: str, code: str) -> None:
        api_requests_total.labels(self._system, endpoint, code).inc()
        if not code.startswith("2"):
            log.info("api_answer", system=self._system, endpoint=endpoint, code=code)

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _wait(state: tenacity.RetryCallState) -> float:
    """As long as the answer asked for, and a little jitter so that workers do not come back together."""
    error = state.outcome.exception() if state.outcome else None
    base_s = error.wait_s if isinstance(error, _Again) else 0.5
    jitter = tenacity.wait_random(0, 0.3)(state)
    asked_for = base_s >= 1
    return float((base_s if asked_for else base_s * state.attempt_number) + jitter)


def retry_after_s(headers: Mapping[str, str], fallback_s: float) -> float:
    """The ``Retry-After`` header in seconds; HubSpot does not promise it, so there is a fallback."""
    try:
        return max(0.0, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return fallback_s


def _window_s(body: Any) -> float:
    """The window of the limit that a 429 names; a second where it names none."""
    return POLICY_WAIT_S.get(str(body.get("policyName")), 1.0) if isinstance(body, dict) else 1.0


def _parsed(raw: bytes, status: int) -> Any:
    if not raw:
        return {}
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        if status < 400:
            raise aiohttp.ClientPayloadError("the answer is not JSON") from None
        return {}
