"""Standard streams that cannot be written to, for a process of its own."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# "stuck" is a pipe that is full and does not block, and that nobody reads.
Kind: TypeAlias = Literal["closed", "full", "broken", "stuck"]

_CLOSE = {"output": 'exec "$@" >&-', "errors": 'exec "$@" 2>&-'}


@contextmanager
def unwritable(kind: Kind) -> Iterator[int]:
    """Give a descriptor of that kind; a closed one has none, and is made by a shell."""
    if kind == "full":
        with Path("/dev/full").open("wb") as full:
            yield full.fileno()
        return
    reading, writing = os.pipe()
    if kind == "broken":
        os.close(reading)
    else:
        fill(writing)
    yield writing
    os.close(writing)
    if kind != "broken":
        os.close(reading)


def fill(pipe: int) -> int:
    """Make a pipe such that it does not block, and write to it until it is full."""
    os.set_blocking(pipe, False)
    written = 0
    try:
        while True:
            written += os.write(pipe, b"." * 4_096)
    except BlockingIOError:
        return written


def run_with(
    command: Sequence[str],
    *,
    output: Kind | None = None,
    errors: Kind | None = None,
    folder: Path,
    environment: Mapping[str, str],
) -> subprocess.CompletedProcess[str]:
    """Run a command whose standard output or error cannot be written to; give what it wrote."""
    words = list(command)
    with ExitStack() as stack:
        places: dict[str, int] = {}
        for name, kind in (("output", output), ("errors", errors)):
            places[name] = subprocess.PIPE
            if kind == "closed":
                words = ["sh", "-c", _CLOSE[name], "sh", *words]
            elif kind is not None:
                places[name] = stack.enter_context(unwritable(kind))
        return subprocess.run(
            words,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=places["output"],
            stderr=places["errors"],
            text=True,
            timeout=120,
            check=False,
        )
