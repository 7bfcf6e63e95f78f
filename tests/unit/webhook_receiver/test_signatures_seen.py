"""The memory of signatures recognises a replay, forgets in time, and never grows beyond its bound."""

from __future__ import annotations

from webhook_receiver.intake import MOST_REMEMBERED, SeenSignatures

WINDOW_S = 300


def test_a_remembered_signature_is_known_as_long_as_it_could_be_accepted() -> None:
    seen = SeenSignatures(WINDOW_S)
    seen.remember("a", 0)

    # A timestamp may lie a window ahead, so the same bytes are acceptable for two windows.
    assert seen.known("a", 2 * WINDOW_S * 1000)
    assert not seen.known("a", 2 * WINDOW_S * 1000 + 1)


def test_a_signature_that_was_not_stored_is_unknown() -> None:
    assert not SeenSignatures(WINDOW_S).known("a", 0)


def test_the_memory_is_bounded_and_forgets_the_oldest_first() -> None:
    seen = SeenSignatures(WINDOW_S)
    for number in range(MOST_REMEMBERED + 10):
        seen.remember(str(number), 0)

    assert not seen.known("0", 0)
    assert seen.known("10", 0)
    assert seen.known(str(MOST_REMEMBERED + 9), 0)
