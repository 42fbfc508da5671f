"""Text with which a server or a file would take over a terminal, and what must not reach one."""

from __future__ import annotations

import re

# Clears the screen, returns, breaks lines, starts a command (C1), reverses the direction.
EVIL = "\x1b[2J\r\n\x9b31m\x85\u2028\u202e\u2066\x07\x00"
_OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def obeyed(text: str) -> list[str]:
    """Find what a terminal would obey in a text that may have several lines."""
    return _OBEYED.findall(text)
