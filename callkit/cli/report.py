"""``callkit report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import callkit
from callkit.cli.arguments import add_calls, add_quiet
from callkit.cli.telling import note

if TYPE_CHECKING:
    import argparse

__all__ = ["add_to"]


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the others."""
    report = commands.add_parser(
        "report",
        help="leave a folder of tables and charts about calls that were exported",
        description="Leave a folder that can be handed on: the summary as text, the breakdowns of "
        "cost and duration as Parquet, and charts of them as PNG. With --by from, to, our_number "
        "or other_party it names telephone numbers; else it names none.",
        epilog="example: callkit report calls.parquet -o report --by country --freq M",
    )
    add_calls(report)
    report.add_argument(
        "-o", "--out", type=Path, required=True, metavar="FOLDER", help="where to leave them"
    )
    report.add_argument(
        "--by",
        action="append",
        metavar="KEY",
        help="what to break down by: direction (unless you say otherwise), country, number_type, "
        "channel, status, hour, weekday or another column; may be given several times",
    )
    add_quiet(report)
    report.set_defaults(run=_run, verbose=False)


def _run(options: argparse.Namespace) -> int:
    from callkit.report import write_report

    calls = callkit.read_parquet(options.calls)
    files = write_report(
        calls, options.out, by=options.by or ["direction"], freq=options.freq, tz=options.tz
    )
    names = ", ".join(file.name for file in files)
    note(f"written to {options.out}: {names}", quiet=options.quiet)
    return 0
