"""``callkit cache``: info, prune, erase."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from callkit.cache.admin import cache_info, erase_from_cache, prune_cache
from callkit.cli.arguments import add_quiet, age, lines_of_standard_input
from callkit.cli.telling import CommandError, note, say

if TYPE_CHECKING:
    import argparse

__all__ = ["add_to"]

_STANDARD_INPUT = "-"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the others."""
    cache = commands.add_parser(
        "cache",
        help="look after a cache: info, prune, erase",
        description="Look after a cache of calls, as callkit export --cache keeps it. It holds "
        "personal data.",
        epilog="example: callkit cache info calls.sqlite",
    )
    kinds = cache.add_subparsers(required=True, metavar="COMMAND")
    _add_info(kinds)
    _add_prune(kinds)
    _add_erase(kinds)


def _add_info(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    info = kinds.add_parser(
        "info",
        help="say how many calls it has, whose, how old, how large",
        description="Say how many calls a cache has, how many of them are settled (never asked for "
        "again), of which accounts, when they were fetched, and its size. No personal data.",
        epilog="example: callkit cache info calls.sqlite",
    )
    _add_cache(info)
    info.set_defaults(run=_info)


def _add_prune(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    prune = kinds.add_parser(
        "prune",
        help="remove the calls that were fetched too long ago",
        description="Remove the calls that were fetched too long ago, and leave no byte of them in "
        "the file. What counts is when a call was fetched, not when it was made.",
        epilog="example: callkit cache prune calls.sqlite --older-than 90d",
    )
    _add_cache(prune)
    prune.add_argument(
        "--older-than", type=age, required=True, metavar="AGE", help="such as 90d, 12h or 4w"
    )
    add_quiet(prune)
    prune.set_defaults(run=_prune)


def _add_erase(kinds: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    erase = kinds.add_parser(
        "erase",
        help="erase the calls of a number, and every byte of them",
        description="Erase every call that names a number, however it is written there, and leave "
        "no byte of it in the file. A later export that lists these calls fetches them again.",
        epilog="example: callkit cache erase calls.sqlite - < number.txt",
    )
    _add_cache(erase)
    erase.add_argument(
        "parties",
        nargs="+",
        metavar="NUMBER",
        help="+442079460000, say, or sip:user@host, or client:name; or - for standard input, one a "
        "line: an argument stays in the shell's history and shows in the list of processes",
    )
    add_quiet(erase)
    erase.set_defaults(run=_erase)


def _add_cache(command: argparse.ArgumentParser) -> None:
    command.add_argument("cache", type=Path, metavar="CACHE", help="the cache's file")
    command.set_defaults(verbose=False)


def _info(options: argparse.Namespace) -> int:
    say(cache_info(options.cache))
    return 0


def _prune(options: argparse.Namespace) -> int:
    removed = prune_cache(options.cache, options.older_than)
    note(f"{_calls(removed)} removed from {options.cache}", quiet=options.quiet)
    return 0


def _erase(options: argparse.Namespace) -> int:
    parties: list[str] = options.parties
    if parties == [_STANDARD_INPUT]:
        parties = lines_of_standard_input()
        if not parties:
            raise CommandError("standard input is empty: it should name numbers, one a line")
    try:
        erased = erase_from_cache(options.cache, parties)
    except ValueError as error:
        raise CommandError(str(error)) from None
    note(f"{_calls(erased)} erased from {options.cache}", quiet=options.quiet)
    return 0


def _calls(count: int) -> str:
    return f"{count:,} call{'' if count == 1 else 's'}"
