"""The ``callkit`` command: its exit codes; signals, pipes, warnings and logs."""

import argparse
import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

import callkit
from callkit.cli.arguments import Parser, days_back_joined
from callkit.cli.commands import add_cache, add_demo, add_report, add_sandbox, add_summary
from callkit.cli.export import add_export
from callkit.cli.streams import complain, note, standard_streams
from callkit.errors import (
    AgeWarning,
    CacheWarning,
    CallkitError,
    CredentialsError,
    SignInError,
)
from callkit.interrupts import EXIT_CODE, signals_interrupt
from callkit.printable import printable

__all__ = ["main"]

_WRONG, _SIGN_IN_REFUSED = 2, 3
_EXIT_CODES = """\
exit codes:
  0    done
  1    some calls, or days of a date range, failed; the others were written, and
       a CSV file beside them lists the failures
  2    incorrect usage, or an error that is described in one sentence
  3    authentication failed
  130  interrupted by Ctrl-C, SIGTERM or SIGHUP

Run "callkit COMMAND --help" for the options of a command and an example.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code, which ``callkit --help`` explains."""
    with standard_streams():
        return _exit_code_of(sys.argv[1:] if arguments is None else arguments)


def _exit_code_of(arguments: Sequence[str]) -> int:
    try:
        return _run(arguments)
    except SignInError as error:
        return complain(error, _SIGN_IN_REFUSED)
    except CredentialsError as error:  # what to do in Python helps nobody at a shell
        return complain(str(error).partition("; in Python")[0], _WRONG)
    except CallkitError as error:
        return complain(error, _WRONG)
    except KeyboardInterrupt as interruption:
        how_far = str(interruption).partition("; they are in the exception")[0]
        return complain(how_far or "interrupted", EXIT_CODE)


def _run(arguments: Sequence[str]) -> int:
    whole = parser()
    options, unknown = whole.parse_known_args(days_back_joined(arguments))
    if unknown:
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if options.run is None:
        whole.print_help()
        return 0
    return run_as_a_command(partial(options.run, options), verbose=options.verbose)


def parser() -> Parser:
    whole = Parser(
        prog="callkit",
        description="What Twilio calls cost and where the minutes went.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"callkit {callkit.__version__}")
    whole.set_defaults(verbose=False, run=None, parser=whole)
    commands = whole.add_subparsers(metavar="COMMAND")
    for add in (add_demo, add_export, add_summary, add_report, add_cache, add_sandbox):
        add(commands)
    return whole


def run_as_a_command(run: Callable[[], int | None], *, verbose: bool) -> int:
    """Run a function as a command, and return its exit code, 0 if it returns none.

    SIGTERM and SIGHUP interrupt like Ctrl-C, so that a stopped job leaves complete files and keeps
    what it fetched in the cache. A warning is one line. `verbose` logs requests and responses to
    standard error.
    """
    with ExitStack() as stack:  # which leaves all as it was
        stack.enter_context(signals_interrupt())
        stack.enter_context(warnings.catch_warnings())
        for category in (AgeWarning, CacheWarning):
            warnings.simplefilter("always", category)  # reports, whatever PYTHONWARNINGS says
        # Assigning to it is the documented way.
        warnings.showwarning = lambda message, *_, **__: note(f"callkit: {message}")
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_LogLines("%(asctime)s %(name)s: %(message)s" if verbose else None))
        for logger in map(logging.getLogger, ("callkit", "urllib3")):
            stack.callback(logger.setLevel, logger.level)
            stack.callback(logger.removeHandler, handler)
            logger.addHandler(handler)
            if verbose:
                logger.setLevel(logging.DEBUG)
        return run() or 0


class _LogLines(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        return printable(super().formatMessage(record))
