"""The project's own files, as the house rules see them."""

from __future__ import annotations

import ast
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("schemas", "services", "sync_worker", "webhook_receiver")
NOT_OURS = {
    ".git",
    ".venv",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    ".import_linter_cache",
    "__pycache__",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def python_files(*folders: str) -> list[Path]:
    """Every Python file below the folders, in order."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    """A path as a person would say it."""
    return str(path.relative_to(ROOT))


def kept_files() -> list[Path]:
    """Every file that is or would be checked in; without git every file that is not a cache."""
    if not (shutil.which("git") and (ROOT / ".git").exists()):
        every = (path for path in ROOT.rglob("*") if not NOT_OURS.intersection(path.relative_to(ROOT).parts))
        return sorted(path for path in every if path.is_file())
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(path for line in listed.splitlines() if (path := ROOT / line).is_file())


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Every function of a file with its length in lines, the docstring left out: it is a page, not code."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Function):
            yield f"{name_of(path)}:{node.lineno} {node.name}", _length(node)


def _length(function: Function) -> int:
    assert function.end_lineno
    whole = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None and first.end_lineno:
        return whole - (first.end_lineno - first.lineno + 1)
    return whole
