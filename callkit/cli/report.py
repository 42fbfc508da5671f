"""``callkit report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import callkit
from callkit.breakdown.measures import KEYS
from callkit.cli.arguments import add_calls, add_quiet
from callkit.cli.telling import CommandError, note
from callkit.parquet.apart import holds
from callkit.schema import ATTRIBUTES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

__all__ = ["add_to"]

_PERSONAL = [column.name for column in (*ATTRIBUTES, *KEYS) if column.personal]


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the others."""
    report = commands.add_parser(
        "report",
        help="leave a folder of tables and charts about calls that were exported",
        description="Leave a folder that can be handed on: the summary as text, the breakdowns of "
        "cost and duration as Parquet, and charts of them as PNG. It names people, or their "
        f"numbers, with --by {', '.join(_PERSONAL[:-1])} or {_PERSONAL[-1]}; else it names nobody.",
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
    from callkit.report import FILES, write_report

    _check_apart(options.calls, options.out, FILES)
    calls = callkit.read_parquet(options.calls)
    files = write_report(
        calls, options.out, by=options.by or ["direction"], freq=options.freq, tz=options.tz
    )
    names = ", ".join(file.name for file in files)
    note(f"written to {options.out}: {names}", quiet=options.quiet)
    return 0


def _check_apart(calls: Path, folder: Path, names: Sequence[str]) -> None:
    """Refuse to write over the calls, or in between the files of a folder of them."""
    if holds(calls, folder) or any(holds(folder / name, calls) for name in names):
        raise CommandError(
            f"{str(calls)!r} holds the calls, and the report would be written over them or among "
            "them: name another folder"
        )
