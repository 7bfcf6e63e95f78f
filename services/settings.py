"""Read once, typed, frozen. The only place of the product that reads the environment.

A missing or contradictory setting stops the start with all faults at once (S33). Secrets are masked in every repr.
"""

from __future__ import annotations

from typing import Annotated, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

T = TypeVar("T", bound=BaseSettings)

EXIT_CONFIG = 78
"""The exit code of a process whose settings are wrong (sysexits, EX_CONFIG)."""


class SettingsError(Exception):
    """The settings are wrong. The message lists every fault, one a line, with the variable to set."""


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Secret = Annotated[SecretStr, Field(min_length=1)]
"""Anybody can sign with an empty secret, so it counts as missing."""

SecretList = Annotated[tuple[Secret, ...], NoDecode, BeforeValidator(_split), Field(min_length=1)]


class _FromEnvironment(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="FSYNC_", frozen=True, extra="ignore", populate_by_name=True)


class ReceiverSettings(_FromEnvironment):
    """What the letterbox needs. No CRM credentials: the client secret only verifies signatures."""

    amqp_url: SecretStr = Field(validation_alias="AMQP_URL")
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    internal_port: int = Field(default=0, ge=0, le=65535)
    queue_prefix: str = "hints"
    hubspot_app_id: int = Field(gt=0)
    hubspot_client_secrets: SecretList
    hubspot_public_url: str = Field(pattern=r"^https?://")
    portals: dict[int, int] = Field(min_length=1)
    falcana_secrets: dict[int, Annotated[list[Secret], Field(min_length=1)]] = Field(min_length=1)
    max_body_bytes: int = Field(default=1_048_576, gt=0)
    signature_window_s: int = Field(default=300, gt=0)
    read_timeout_s: float = Field(default=4.0, gt=0)
    publish_timeout_s: float = Field(default=3.5, gt=0, lt=4)


class ConnectionSecrets(BaseModel):
    """How to reach the two systems of one connection."""

    model_config = {"frozen": True}

    id: int = Field(gt=0)
    hubspot_base_url: str = "https://api.hubapi.com"
    hubspot_access_token: SecretStr
    hubspot_app_id: int = Field(gt=0)
    hubspot_limit_per_10s: int = Field(default=110, gt=10)
    falcana_base_url: str = Field(pattern=r"^https?://")
    falcana_api_key: SecretStr
    falcana_tls_required: bool = True

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        if self.falcana_tls_required and not self.falcana_base_url.startswith("https://"):
            raise ValueError("falcana_base_url must be https, or set falcana_tls_required to false for a test system")
        return self


class WorkerSettings(_FromEnvironment):
    """What worker, poller and one-off commands need."""

    amqp_url: SecretStr = Field(validation_alias="AMQP_URL")
    database_url: SecretStr = Field(validation_alias="DATABASE_URL")
    connections: tuple[ConnectionSecrets, ...] = Field(min_length=1)
    host: str = "127.0.0.1"
    port: int = Field(default=8081, ge=0, le=65535)
    queue_prefix: str = "hints"
    window_s: float = Field(default=0.25, ge=0)
    batch_keys: int = Field(default=100, gt=0, le=100)
    poll_every_s: float = Field(default=300.0, gt=0)
    poll_overlap_s: float = Field(default=600.0, ge=0)
    lease_s: float = Field(default=60.0, gt=0)
    verify_after_s: float = Field(default=30.0, ge=0)


class DatabaseSettings(_FromEnvironment):
    """What migrations need."""

    database_url: SecretStr = Field(validation_alias="DATABASE_URL")


def read_settings(kind: type[T]) -> T:
    """The settings of a process from the environment. Raises SettingsError naming every fault."""
    try:
        return kind()
    except ValidationError as error:
        raise SettingsError(_in_words(kind, error)) from None


def _in_words(kind: type[BaseSettings], error: ValidationError) -> str:
    lines = [f"{_variable(kind, fault['loc'])}: {fault['msg']}" for fault in error.errors(include_input=False)]
    return "\n".join(lines)


def _variable(kind: type[BaseSettings], location: tuple[int | str, ...]) -> str:
    first, *inner = (str(part) for part in location)
    field = kind.model_fields.get(first)
    alias = field.validation_alias if field and isinstance(field.validation_alias, str) else None
    name = alias or (first if first.isupper() else f"FSYNC_{first.upper()}")
    return ".".join([name, *inner])
