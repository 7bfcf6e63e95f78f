"""What gets installed is exactly what was tested: every package pinned, every file hashed, no address named."""

from __future__ import annotations

import re
import tomllib
from functools import cache

import pytest

from tests.tidy.tree import ROOT

PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==(\S+)(?: ; .+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")
FILES = {"requirements.txt": (), "requirements-dev.txt": ("dev",)}


@cache
def lines(file: str) -> list[str]:
    return (ROOT / file).read_text().splitlines()


def pins(file: str) -> dict[str, str]:
    """Package to version."""
    return {_plain(found[1]): found[2] for line in lines(file) if (found := PIN.match(line))}


def wanted(extras: tuple[str, ...]) -> dict[str, str]:
    """Direct dependencies of the project with the lowest version that is said to work."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    every = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    return {_plain(name): version for name, version in (one.split(">=") for one in every)}


@pytest.mark.parametrize("file", FILES)
def test_every_direct_dependency_is_pinned_at_a_version_the_project_allows(file: str) -> None:
    pinned = pins(file)

    for name, lowest in wanted(FILES[file]).items():
        assert name in pinned, f"{name} is missing: make lock"
        assert _number(pinned[name]) >= _number(lowest), f"{name} {pinned[name]} is too old: make lock"


@pytest.mark.parametrize("file", FILES)
def test_the_lists_hold_pins_and_hashes_and_nothing_else(file: str) -> None:
    assert [line for line in lines(file) if not (PIN.match(line) or HASH.match(line))] == []


def test_tests_run_with_the_versions_that_ship() -> None:
    tested = pins("requirements-dev.txt")

    assert {name: tested.get(name) for name in pins("requirements.txt")} == pins("requirements.txt")


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
