"""``callkit demo``."""

import argparse
from pathlib import Path

from callkit.cli.arguments import Commands, add_loudness, progress


def add_to(commands: Commands) -> None:
    """Add the command to the others."""
    demo = commands.add_parser(
        "demo",
        help="fetch, type, price, chart and save a list of calls",
        description="Fetch a sample of synthetic calls from a sandbox on this machine, or with "
        "--sids your own from a real account; print both breakdowns, and leave Parquet files and "
        "charts.",
        epilog="example: callkit demo --out report",
    )
    demo.add_argument(
        "--sids",
        type=Path,
        metavar="FILE",
        help="a SID list (text, CSV or Parquet) of your account; the sign-in is taken from "
        "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or TWILIO_API_KEY and TWILIO_API_SECRET",
    )
    demo.add_argument(
        "-o", "--out", type=Path, default=Path("callkit-demo"), metavar="FOLDER", help="%(default)s"
    )
    add_loudness(demo)
    demo.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from callkit.demo import run_demo

    run_demo(options.sids, options.out, progress=progress(options))
    return 0
