"""``callkit summary``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import callkit
from callkit.cli.arguments import add_calls
from callkit.cli.telling import say

if TYPE_CHECKING:
    import argparse

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the others."""
    summary = commands.add_parser(
        "summary",
        help="print one page about calls that were exported",
        description="Print one page about calls: how they ended, what they cost, the dearest, and "
        "what changed from one period to the next. It names no telephone number.",
        epilog="example: callkit summary calls.parquet --tz Europe/Berlin",
    )
    add_calls(summary)
    summary.set_defaults(run=_run, verbose=False)


def _run(options: argparse.Namespace) -> int:
    calls = callkit.read_parquet(options.calls)
    say(callkit.summary(calls, freq=options.freq, tz=options.tz))
    return 0
