"""What an export reads, and what it keeps calls in, is apart from what it writes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from callkit.errors import ParquetError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["check_cache_apart", "check_list_apart", "holds"]

_SQLITES_OWN = ("", "-wal", "-shm", "-journal")  # https://www.sqlite.org/tempfiles.html


def holds(place: Path, path: Path) -> bool:
    """Whether `path` is `place` or lies within, wherever links lead; neither need be there."""
    if "\0" in str(place) or "\0" in str(path):
        return False
    followed = Path(os.path.realpath(path))
    return Path(os.path.realpath(place)) in (followed, *followed.parents)


def check_cache_apart(cache: Path, written: Iterable[Path]) -> None:
    """Refuse to write over a cache, or what SQLite keeps beside it."""
    home = Path(os.path.realpath(cache)) if "\0" not in str(cache) else cache
    files = [home.with_name(f"{home.name}{end}") for end in _SQLITES_OWN] if home.name else []
    for place in written:
        if any(holds(place, file) for file in files):
            raise ParquetError(
                f"{str(place)!r} would replace the cache {str(cache)!r}, or what belongs to it: "
                "export to another name, or keep the cache elsewhere"
            )


def check_list_apart(source: Path, target: Path, beside: Path) -> None:
    """Refuse to replace the very list that is read."""
    for name, place in (("the file", target), ("the failures of the file", beside)):
        if holds(place, source):
            raise ParquetError(
                f"{str(source)!r} is {name} that this export would replace: export to another file "
                "and put the two together, or export the whole list again with cache=…"
            )
