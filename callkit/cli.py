"""The ``callkit`` command."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import callkit
from callkit.errors import CallkitError, FetchError, FetchInterrupted, RunStoppedError, SignInError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

_SOME_FAILED, _WRONG, _SIGN_IN_REFUSED, _INTERRUPTED = 1, 2, 3, 130
_SLOWEST = 3600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    0: done. 1: some calls failed, and the others were written. 2: wrong usage, or something that
    could not be done, told in one sentence. 3: the sign-in is refused. 130: interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except SignInError as error:
        return _complain(error, _SIGN_IN_REFUSED)
    except CallkitError as error:
        some_failed = isinstance(error, FetchError) and not isinstance(error, RunStoppedError)
        return _complain(error, _SOME_FAILED if some_failed else _WRONG)
    except FetchInterrupted as interruption:
        return _complain(interruption, _INTERRUPTED)
    except KeyboardInterrupt:
        return _complain("interrupted", _INTERRUPTED)
    return 0


def _complain(what: object, code: int) -> int:
    print(f"callkit: {what}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="callkit", description="What Twilio calls cost and where the minutes went."
    )
    parser.add_argument("--version", action="version", version=f"callkit {callkit.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_export(commands)
    _add_sandbox(commands)
    return parser


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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
        "--out", type=Path, default=Path("callkit-demo"), metavar="FOLDER", help="%(default)s"
    )
    demo.set_defaults(run=_run_demo)


def _run_demo(options: argparse.Namespace) -> None:
    from callkit.demo import run_demo

    run_demo(options.sids, options.out)


def _add_export(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    export = commands.add_parser(
        "export",
        help="fetch a list of calls into a Parquet file",
        description="Fetch calls into a Parquet file, with the sign-in of the environment. Calls "
        "that fail are listed in a CSV beside it, and the exit code is then 1.",
        epilog="example: callkit export sids.txt -o calls.parquet --cache calls.sqlite",
    )
    export.add_argument("sids", type=Path, help="a SID list: a text, CSV or Parquet file")
    export.add_argument("-o", "--out", type=Path, required=True, help="the Parquet file to write")
    export.add_argument(
        "--cache",
        type=Path,
        help="keep calls in this file; settled ones are not asked for again, and a run that was "
        "cut short goes on from there",
    )
    export.add_argument(
        "--refresh",
        choices=["all", "unpriced"],
        help="ask again for calls that the cache has settled",
    )
    export.set_defaults(run=_run_export)


def _run_export(options: argparse.Namespace) -> None:
    print(callkit.export(options.sids, options.out, cache=options.cache, refresh=options.refresh))


def _add_sandbox(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    sandbox = commands.add_parser(
        "sandbox",
        help="serve synthetic calls on this machine, as the API would",
        description="Serve Twilio's Fetch Call endpoint on 127.0.0.1 over synthetic calls, until "
        "interrupted.",
        epilog="example: callkit sandbox --port 8080 --calls 100000 --latency 0.05 --limit 40",
    )
    sandbox.add_argument("--port", type=_whole(0, 65_535), default=8080, help="%(default)s")
    sandbox.add_argument(
        "--calls", type=_whole(1), default=10_000, help="how many calls there are (%(default)s)"
    )
    sandbox.add_argument(
        "--seed", type=_whole(0), default=7, help="what they are made from (%(default)s)"
    )
    sandbox.add_argument(
        "--latency", type=_seconds, default=0.0, help="seconds each answer takes (%(default)s)"
    )
    sandbox.add_argument(
        "--limit", type=_whole(1), help="requests in flight, beyond which it answers 429 (none)"
    )
    sandbox.add_argument(
        "--retry-after", type=_whole(0), help="seconds that a 429 asks to wait (it does not say)"
    )
    sandbox.set_defaults(run=_run_sandbox)


def _run_sandbox(options: argparse.Namespace) -> None:
    from callkit.sandbox import serve

    serve(
        port=options.port,
        calls=options.calls,
        seed=options.seed,
        latency=options.latency,
        limit=options.limit,
        retry_after=options.retry_after,
    )


class _whole:  # noqa: N801  (argparse names it in its messages)
    """A whole number within bounds."""

    def __init__(self, least: int, most: int | None = None) -> None:
        self._least, self._most = least, most
        bounds = f"from {least:,}" + (f" to {most:,}" if most is not None else "")
        self.__name__ = f"whole number {bounds}"

    def __call__(self, text: str) -> int:
        number = int(text)
        if number < self._least or (self._most is not None and number > self._most):
            raise ValueError
        return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.0 <= seconds <= _SLOWEST:
        raise ValueError
    return seconds


_seconds.__name__ = "number of seconds from 0 to 3,600"
