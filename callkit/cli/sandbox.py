"""``callkit sandbox``."""

import argparse

from callkit.cli.arguments import Commands, Whole, seconds


def add_to(commands: Commands) -> None:
    """Add the command to the others."""
    sandbox = commands.add_parser(
        "sandbox",
        help="serve synthetic calls on this machine",
        description="Serve Twilio's Fetch Call endpoint for synthetic calls on 127.0.0.1 until "
        "interrupted.",
        epilog="example: callkit sandbox --port 8080 --calls 100000 --latency 0.05 --limit 40",
    )
    sandbox.add_argument(
        "--port", type=Whole(0, 65_535), default=8080, help="port (default: %(default)s)"
    )
    sandbox.add_argument(
        "--calls", type=Whole(1), default=10_000, help="number of calls (default: %(default)s)"
    )
    sandbox.add_argument(
        "--seed", type=Whole(0), default=7, help="seed of the calls (default: %(default)s)"
    )
    sandbox.add_argument(
        "--latency", type=seconds, default=0.0, help="seconds per response (default: %(default)s)"
    )
    sandbox.add_argument(
        "--limit",
        type=Whole(1),
        help="requests in flight above which it answers 429",
    )
    sandbox.add_argument(
        "--retry-after", type=Whole(0), help="Retry-After of a 429, in seconds (default: none)"
    )
    sandbox.set_defaults(run=_run, parser=sandbox)


def _run(options: argparse.Namespace) -> int:
    from callkit.sandbox import serve

    serve(
        port=options.port,
        calls=options.calls,
        seed=options.seed,
        latency=options.latency,
        limit=options.limit,
        retry_after=options.retry_after,
    )
    return 0
