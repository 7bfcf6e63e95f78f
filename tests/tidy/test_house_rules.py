"""House rules that neither the linter nor the import graph can see."""

from __future__ import annotations

import re
from pathlib import Path

from tests.tidy.tree import PRODUCT, kept_files, name_of, python_files

DRAWERS = {"common", "data", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
SLEEP = re.compile(r"\bsleep\(")

# Put together here, so that this file does not hold what it forbids.
OPEN_END = re.compile(rf"\b({'TO' + 'DO'}|{'FIX' + 'ME'})\b(?!\([a-z][\w-]*\))")
HOSTS = ["pypi" + ".org", "python" + "hosted.org", "registry" + ".npmjs", "deb" + ".debian", "git" + "hub.com/"]
MACHINE_PATHS = [
    rf"(?<![\w./]){folder}(?![\w.-])" for folder in ("/wor" + "k", "/roo" + "t", "/opt" + "/wheels", "/home" + "/")
]
FORBIDDEN = re.compile("|".join([*map(re.escape, HOSTS), *MACHINE_PATHS]))


def test_no_file_is_a_drawer_for_everything() -> None:
    assert [name_of(path) for path in python_files(*PRODUCT, "tests") if path.stem.lower() in DRAWERS] == []


def test_init_files_are_empty_so_that_importing_one_room_enters_no_other() -> None:
    files = [path for path in python_files(*PRODUCT, "tests") if path.name == "__init__.py"]

    assert [name_of(path) for path in files if path.read_text().strip()] == []


def test_every_folder_of_the_product_is_a_package() -> None:
    folders = {path.parent for path in python_files(*PRODUCT)}

    assert [name_of(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_tests_wait_for_signals_and_never_for_seconds() -> None:
    assert [found for path in python_files("tests") for found in _lines(path, SLEEP)] == []


def test_everything_left_open_has_an_owner() -> None:
    assert [found for path in python_files(*PRODUCT, "tests") for found in _lines(path, OPEN_END)] == []


def test_no_kept_file_names_a_folder_of_one_machine_or_a_registry() -> None:
    assert [found for path in kept_files() for found in _lines(path, FORBIDDEN)] == []


def _lines(path: Path, pattern: re.Pattern[str]) -> list[str]:
    try:
        lines = path.read_text().splitlines()
    except UnicodeDecodeError:
        return []
    return [f"{name_of(path)}:{number} {line.strip()}" for number, line in enumerate(lines, 1) if pattern.search(line)]
