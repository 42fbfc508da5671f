"""What is typed → the command that does it, and the code with which it exits."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

import callkit
from callkit.cli import cache, demo, export, report, sandbox, summary
from callkit.cli.surroundings import run_as_a_command
from callkit.cli.telling import complain
from callkit.errors import CallkitError, SignInError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "parser"]

_WRONG, _SIGN_IN_REFUSED, _INTERRUPTED = 2, 3, 130
_EXIT_CODES = """\
exit codes:
  0    done
  1    some calls failed; the others are written, and a file beside them
       says which failed and why
  2    wrong usage, or something that could not be done, told in one sentence
  3    the sign-in is refused
  130  interrupted, by Ctrl-C or SIGTERM

"callkit COMMAND --help" says more, with an example.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code, which ``callkit --help`` explains."""
    options = parser().parse_args(arguments)
    try:
        return run_as_a_command(partial(options.run, options), verbose=options.verbose)
    except SignInError as error:
        return complain(error, _SIGN_IN_REFUSED)
    except CallkitError as error:
        return complain(error, _WRONG)
    except KeyboardInterrupt as interruption:
        return complain(_told(interruption), _INTERRUPTED)


def _told(interruption: KeyboardInterrupt) -> str:
    """Tell how far it got, without what only a program could do about it."""
    return str(interruption).partition("; they are in the exception")[0] or "interrupted"


def parser() -> argparse.ArgumentParser:
    """Make what understands the command line."""
    whole = argparse.ArgumentParser(
        prog="callkit",
        description="What Twilio calls cost and where the minutes went.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"callkit {callkit.__version__}")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for command in (demo, export, summary, report, cache, sandbox):
        command.add_to(commands)
    return whole
