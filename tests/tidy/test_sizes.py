"""Budgets: a reader must be able to hold a function and a file in the head."""

from __future__ import annotations

import statistics

from tests.tidy.tree import PRODUCT, functions, name_of, python_files

LONGEST_FUNCTION = 70
LONGEST_FILE = 400
MEDIAN_FUNCTION = 10


def test_no_function_is_longer_than_a_screen() -> None:
    lengths = [found for path in python_files(*PRODUCT, "tests") for found in functions(path)]

    assert [(name, length) for name, length in lengths if length > LONGEST_FUNCTION] == []


def test_half_of_the_functions_are_short() -> None:
    lengths = [length for path in python_files(*PRODUCT) for _, length in functions(path)]
    median = statistics.median(lengths)
    print(f"{len(lengths)} functions, median {median} lines, longest {max(lengths)}")

    assert median <= MEDIAN_FUNCTION


def test_no_file_is_longer_than_its_budget() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in python_files(*PRODUCT, "tests")}

    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}
