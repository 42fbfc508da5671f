"""``callkit demo``."""

import argparse
from pathlib import Path

from callkit.cli.arguments import Commands, add_fetching, progress


def add_to(commands: Commands) -> None:
    """Add the command to the others."""
    demo = commands.add_parser(
        "demo",
        help="fetch, break down, chart and save sample calls",
        description="Fetch synthetic calls from a sandbox on this machine, or your own calls with "
        "--sids; print the breakdowns of cost and duration, and save Parquet files and charts.",
        epilog="example: callkit demo --out report",
    )
    demo.add_argument(
        "--sids",
        type=Path,
        metavar="FILE",
        help="a SID list (text, CSV or Parquet) of your account; credentials are read from "
        "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or TWILIO_API_KEY and TWILIO_API_SECRET",
    )
    demo.add_argument(
        "-o",
        "--out",
        type=Path,
        default=Path("callkit-demo"),
        metavar="FOLDER",
        help="output folder (default: %(default)s)",
    )
    add_fetching(demo)
    demo.set_defaults(run=_run, parser=demo)


def _run(options: argparse.Namespace) -> int:
    from callkit.demo import run_demo

    run_demo(
        options.sids,
        options.out,
        concurrency=options.concurrency,
        progress=progress(options),
    )
    return 0
