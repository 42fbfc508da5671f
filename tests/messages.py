"""Every message of callkit to a user, for reading: `python -m tests.messages`.

These are the texts of exceptions, warnings, log lines and the command line's own output, as they
stand in the source, with the names of what is filled in.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLKIT = Path(__file__).parents[1] / "callkit"
_CALLS = ("warnings.warn", "_log.", "note", "complain", "print", "NoResponse")


class Message(NamedTuple):
    path: Path
    line: int
    text: str


def messages() -> Iterator[Message]:
    for path in sorted(CALLKIT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (call := _speaking(node)) is None:
                continue
            for argument in call.args:
                if " " in (text := _text(argument)):
                    yield Message(path, argument.lineno, text)


def _speaking(node: ast.AST) -> ast.Call | None:
    """Return the call that makes a message: an exception, a warning, a log line or a print."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return node.exc
    if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(_CALLS):
        return node
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Error"):
        return node
    return None


def _text(node: ast.AST) -> str:
    """Return the text of a string, with ``{…}`` for what is filled in; nothing for others."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return f"{{{ast.unparse(node.value)}}}"
    return ""


def main() -> None:
    for path, line, text in dict.fromkeys(messages()):
        sys.stdout.write(f"{path.relative_to(CALLKIT.parent)}:{line}: {text}\n")


if __name__ == "__main__":
    main()
