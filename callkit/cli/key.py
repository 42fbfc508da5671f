"""Pseudonyms in an export: whether, under which key, and what they keep."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from callkit.cli.telling import CommandError
from callkit.parquet.places import holds
from callkit.pseudonyms import Pseudonyms

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

__all__ = ["add_pseudonyms", "pseudonyms_asked_for"]

_VARIABLE = "CALLKIT_PSEUDONYM_KEY"


def add_pseudonyms(command: argparse.ArgumentParser) -> None:
    """Let a command put pseudonyms in the place of parties.

    The key itself is no argument: it would stay in the shell's history, and show in the list of
    processes.
    """
    group = command.add_argument_group("pseudonyms")
    group.add_argument(
        "--pseudonymise",
        action="store_true",
        help="put pseudonyms in the place of numbers and addresses, and leave names out; the key "
        f"is what {_VARIABLE} is set to, or the content of --key-file",
    )
    group.add_argument("--key-file", type=Path, metavar="FILE", help="a file that holds the key")
    group.add_argument(
        "--keep", choices=["country"], help="let a pseudonym say the number's country and type"
    )


def pseudonyms_asked_for(options: argparse.Namespace, written: Iterable[Path]) -> Pseudonyms | None:
    """Find the key, and make pseudonyms under it; None, where none are asked for.

    `written` is what the command will write, which must not be the key's own file.

    Raises
    ------
    CommandError
        There is no key, or none that will do; or it would be written over; or one is given that
        nothing asks for.
    """
    if not options.pseudonymise:
        if options.key_file is not None or options.keep is not None:
            raise CommandError("--key-file and --keep are for --pseudonymise: say that too")
        return None
    key = _from_file(options.key_file) if options.key_file is not None else _from_environment()
    if options.key_file is not None and any(holds(place, options.key_file) for place in written):
        raise CommandError("the export would replace the key file: export to another name")
    try:
        return Pseudonyms(key, keep=options.keep)
    except ValueError as error:
        raise CommandError(str(error)) from None


def _from_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:  # not the path: it might be the key
        raise CommandError(f"the key file cannot be read: {error.strerror}") from None


def _from_environment() -> bytes:
    key = os.fsencode(os.environ.get(_VARIABLE, ""))
    if not key:
        raise CommandError(
            f"there is no key: set {_VARIABLE}, or name a file that holds it, --key-file FILE"
        )
    return key
