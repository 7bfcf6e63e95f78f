"""A wall that never stopped anybody is not known to stand: plant a breach of each and expect it to be named."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.tidy.tree import PRODUCT, ROOT

LINT = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]

# File, line to plant in it, and the id of the contract that must break.
BREACHES = [
    ("sync_worker/merge/decide.py", "import time", "pure"),
    ("schemas/records.py", "import services.clock", "pure"),
    ("webhook_receiver/app.py", "import services.store", "letterbox-records"),
    ("webhook_receiver/intake.py", "import services.queue", "concrete-letterbox"),
    ("webhook_receiver/app.py", "import services.hubspot.client", "letterbox-keys"),
    ("webhook_receiver/app.py", "import sync_worker.merge", "floors"),
    ("sync_worker/worker.py", "import services.hubspot", "concrete-workshop"),
    ("sync_worker/poller.py", "import sync_worker.merge.decide", "poller"),
    ("sync_worker/merge/rules.py", "import sync_worker.worker", "workshop"),
    ("sync_worker/__main__.py", "import services.sandbox", "production"),
    ("services/sandbox/planted.py", "import schemas.records", "strangers"),
    ("services/falcana/planted.py", "import services.hubspot", "doors"),
    ("services/utils.py", "", "doors"),
    ("sync_worker/helpers.py", "", "workshop"),
    ("services/crm.py", "import asyncpg", "postgres-door"),
    ("sync_worker/health.py", "import aio_pika", "broker-door"),
    ("services/queue/planted.py", "import tenacity", "retry-door"),
    ("sync_worker/worker.py", "import os", "environment-door"),
]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the house in which walls may be broken."""
    for package in PRODUCT:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_walls_stand() -> None:
    answer = lint(ROOT)

    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(("file", "line", "wall"), BREACHES)
def test_a_breach_is_named(house: Path, file: str, line: str, wall: str) -> None:
    with (house / file).open("a") as planted:
        planted.write(f"\n{line}\n")

    answer = lint(house, "--contract", wall)

    assert "BROKEN" in answer.stdout, answer.stdout


def test_every_wall_is_tried() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    walls = {contract["id"] for contract in project["tool"]["importlinter"]["contracts"]}

    assert {wall for _, _, wall in BREACHES} == walls


def lint(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """What the linter says."""
    return subprocess.run([*LINT, *options], cwd=root, capture_output=True, text=True, check=False)
