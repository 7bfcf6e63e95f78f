"""What the launcher says when it cannot help."""

from __future__ import annotations


class EmbeddedUnavailable(Exception):
    """A private server cannot be had. The message is one line that says what to install or to set."""
