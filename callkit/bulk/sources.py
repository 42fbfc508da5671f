"""Which files are read: paths, folders and patterns, each file once."""

from collections.abc import Iterable
from glob import glob
from os import PathLike, fspath
from pathlib import Path
from typing import TypeAlias

from callkit.errors import BulkExportError
from callkit.pairs import why_not_whole

Paths: TypeAlias = str | PathLike[str] | Iterable[str | PathLike[str]]

_ENDINGS = (".json", ".json.gz", ".jsonl", ".jsonl.gz")


class BulkExport:
    """The calls in Bulk Export files, to be passed instead of a SID list.

    :func:`read_bulk_export` reads them into a DataFrame. Pass a BulkExport to :func:`export` to
    convert files that are larger than memory, or to :func:`collect` for the failures beside the
    calls. No credentials are needed.

    Parameters
    ----------
    paths : str, path, or iterable of them
        As for :func:`read_bulk_export`.

    Raises
    ------
    BulkExportError
        A path, folder or pattern leads to no file.

    Examples
    --------
    >>> from callkit.sandbox import Sandbox
    >>> sandbox = Sandbox(calls=100)
    >>> client = sandbox.client()
    >>> callkit.export(sandbox.sids(20), "2025-03-15.jsonl", format="jsonl", client=client)
    FetchResult(20 calls in '2025-03-15.jsonl', no failures)
    >>> callkit.export(callkit.BulkExport("*.jsonl"), "calls.parquet")
    FetchResult(20 calls in 'calls.parquet', no failures)
    """

    def __init__(self, paths: Paths) -> None:
        self._files = _files(paths)

    @property
    def files(self) -> list[Path]:
        """The files, in the order in which they are read."""
        return list(self._files.values())

    def __repr__(self) -> str:
        return f"BulkExport({len(self._files):,} file{'s' if len(self._files) > 1 else ''})"


def _files(paths: Paths) -> dict[Path, Path]:
    """Find the files by where links lead, in the order given; those of a folder by name."""
    several = [paths] if isinstance(paths, str | PathLike) else list(paths)
    if not several:
        raise BulkExportError("No paths of Bulk Export files are given: expected at least one")
    files: dict[Path, Path] = {}
    for path in several:
        for file in _files_at(_checked(path)):
            if reason := why_not_whole(file):
                raise BulkExportError(reason)
            files.setdefault(file.resolve(), file)
    return files


def _checked(path: str | PathLike[str]) -> str:
    text = fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"Expected paths as text, not {type(text).__name__}")
    if "\0" in text:
        raise BulkExportError(f"Invalid path {text!r}: it contains a NUL character")
    return text


def _files_at(path: str) -> list[Path]:
    there = Path(path)
    if not (path and there.exists()):  # else it is a name, such as 'day[1].json', and not a pattern
        found = [
            file
            # Path.glob takes no absolute patterns.
            for match in sorted(glob(path, recursive=True))  # noqa: PTH207
            for file in (_files_in(Path(match)) if Path(match).is_dir() else [Path(match)])
        ]
        if not found:
            raise BulkExportError(
                f"No Bulk Export file matches {path!r}: expected the path of a file or folder, or "
                "a pattern such as 'exports/*.json.gz'"
            )
        return found
    if not there.is_dir():
        return [there]
    if not (found := _files_in(there)):
        raise BulkExportError(
            f"The folder {path!r} contains no Bulk Export file: expected files that end in "
            f"{', '.join(_ENDINGS[:-1])} or {_ENDINGS[-1]}"
        )
    return found


def _files_in(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.rglob("*")
        if file.name.lower().endswith(_ENDINGS) and file.name[0] != "." and file.is_file()
    )
