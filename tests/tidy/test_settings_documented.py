"""Every setting stands in the example, with a word about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.settings import ReceiverSettings, WorkerSettings

EXAMPLE = (Path(__file__).parents[2] / "deploy" / "settings.example.env").read_text()


@pytest.mark.parametrize("kind", [ReceiverSettings, WorkerSettings])
def test_every_setting_is_in_the_example(kind: type[ReceiverSettings] | type[WorkerSettings]) -> None:
    names = [field.validation_alias or f"FSYNC_{name.upper()}" for name, field in kind.model_fields.items()]
    missing = [str(name) for name in names if f"{name}=" not in EXAMPLE]

    assert missing == []
