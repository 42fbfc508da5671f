"""What a Call SID is, and how a SID list is read from whatever a user holds."""

import csv
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, repeat
from os import PathLike
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeGuard, cast

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from callkit.errors import InvalidSidError, SidListError
from callkit.terminal import Interrupts

SidSource: TypeAlias = str | PathLike[str] | pd.DataFrame | Iterable[object]

CALL_SID = re.compile(r"CA[0-9a-fA-F]{32}")
_ACCOUNT_SID = re.compile(r"AC[0-9a-fA-F]{32}")
_NAMED_AT_MOST = 5
_SHOWN_AT_MOST = 60
_READ_AT_ONCE = 4_000  # calls
_READ_FOR = 0.5  # seconds, from a list that is slow


class CallKey(NamedTuple):
    """One call to fetch. ``account_sid`` is None if the list does not name it."""

    sid: str
    account_sid: str | None


def canonical_call_sid(value: object) -> str | None:
    """Write a Call SID as ``CA`` and lower-case hexadecimal digits; None if `value` is not one.

    Examples
    --------
    >>> canonical_call_sid("CA" + "0A" * 16)
    'CA0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a'
    """
    if isinstance(value, str) and CALL_SID.fullmatch(value):
        return "CA" + value[2:].lower()
    return None


def is_account_sid(value: object) -> TypeGuard[str]:
    """Whether `value` is written as an Account SID is: ``AC`` and 32 hexadecimal digits."""
    return isinstance(value, str) and _ACCOUNT_SID.fullmatch(value) is not None


def read_sids(source: SidSource) -> list[CallKey] | Iterator[CallKey]:
    """Read a SID list, each call once, in the order of first mention.

    Parameters
    ----------
    source : str, path, DataFrame, Series, Index or any iterable
        A path to a text file (one SID a line), a CSV or a Parquet file (with a ``sid`` column); a
        frame with a ``sid`` column; or the SIDs themselves. An ``account_sid`` column beside the
        SIDs, if there is one, names the account of each call.

    Returns
    -------
    list of CallKey, or an iterator of them
        A list, checked whole, for everything that has an end; an iterator that checks as it reads
        for a generator. SIDs are ``CA`` and lower-case hexadecimal digits, since spreadsheets turn
        them to upper case.

    Raises
    ------
    InvalidSidError
        Entries are not Call SIDs. The message lists the first few and their positions.
    SidListError
        The list cannot be read at all.

    Examples
    --------
    >>> read_sids(["CA" + "0A" * 16, "CA" + "0a" * 16])
    [CallKey(sid='CA0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a', account_sid=None)]
    """
    try:
        return _read(source)
    except (SidListError, InvalidSidError) as error:
        # A notebook shows every frame: those in here say nothing that the message does not.
        raise error.with_traceback(None) from None


def _read(source: SidSource) -> list[CallKey] | Iterator[CallKey]:
    if isinstance(source, str | PathLike):
        return _checked_whole(_from_file(Path(source)))
    if isinstance(source, pd.DataFrame):
        return _checked_whole(_from_columns(source, "the frame"))
    if hasattr(type(source), "columns"):
        raise SidListError(
            f"Cannot read a SID list from a {_class_name(source)}: pass its column ['sid'], or "
            "convert it with .to_pandas()"
        )
    if isinstance(source, bytes) or not isinstance(source, Iterable):
        raise SidListError(
            "Expected a SID list as a list, Series, Index, DataFrame, generator or path, not "
            f"{type(source).__name__}"
        )
    if isinstance(source, Iterator):
        return _distinct(_checked_as_read(source))
    return _checked_whole(_Entries(list(source)))


class SidList:
    """Reads a SID list, without ever waiting for it while calls it has named could be fetched.

    Attributes
    ----------
    total : int or None
        How many calls there are, where that is known.
    exhausted : bool
        Whether it has been read to its end, or to the first entry that is not a SID.
    error : Exception or None
        What is wrong with that entry, or what a generator raised: calls before it are fetched all
        the same.
    """

    def __init__(self, keys: list[CallKey] | Iterator[CallKey]) -> None:
        self.total = len(keys) if isinstance(keys, list) else None
        self.exhausted = self.total == 0
        self.error: Exception | None = None
        self._keys = iter(keys)
        self._unwatched = _READ_AT_ONCE if isinstance(keys, list) else 1

    def read(
        self, most: int, is_hungry: Callable[[], bool], interrupts: Interrupts
    ) -> list[CallKey]:
        """Read up to `most` calls; of a generator fewer, where there is nothing else to fetch.

        An interrupt is raised within the generator, so that it ends what it is waiting for.
        """
        keys: list[CallKey] = []
        most = min(most, _READ_AT_ONCE)
        until = time.monotonic() + _READ_FOR
        interrupts.at_once = True
        try:
            for key in islice(self._keys, most):
                keys.append(key)
                if len(keys) >= self._unwatched and (is_hungry() or time.monotonic() > until):
                    break
            else:
                self.exhausted = len(keys) < most
        except Exception as error:  # noqa: BLE001  (raised when what was read has been fetched)
            self.error, self.exhausted = error, True
        except KeyboardInterrupt:
            if not interrupts.heard:  # somebody else's handler raised it
                raise
        finally:
            interrupts.at_once = False
        return keys

    def note_missing(self, missing: int) -> None:
        """Learn how many of the calls just read have to be fetched.

        Where a cache has them all, nothing waits for a generator: it is read more at a time.
        """
        if self.total is None:
            self._unwatched = 1 if missing else min(2 * self._unwatched, _READ_AT_ONCE)


class _Entries(NamedTuple):
    """What a list holds, not checked yet, and how its entries are to be named."""

    sids: Sequence[object]
    accounts: Sequence[object] | None = None
    place: str = "entry"
    numbers: Sequence[int] | None = None  # where they are not simply 1, 2, 3, …

    def name(self, index: int) -> str:
        return f"{self.place} {self.numbers[index] if self.numbers else index + 1}"


def _distinct(keys: Iterable[CallKey]) -> Iterator[CallKey]:
    """Yield each call at its first mention only."""
    seen: set[str] = set()
    for key in keys:
        if key.sid not in seen:
            seen.add(key.sid)
            yield key


def _checked_whole(entries: _Entries) -> list[CallKey]:
    sids = list(map(canonical_call_sid, entries.sids))
    malformed = [index for index, sid in enumerate(sids) if sid is None]
    if malformed:
        raise InvalidSidError(_describe(malformed, entries))
    whole = cast("list[str]", sids)
    if entries.accounts is None:
        return list(map(CallKey._make, zip(dict.fromkeys(whole), repeat(None))))
    keys: dict[str, CallKey] = {}
    for index, (sid, account) in enumerate(zip(whole, entries.accounts, strict=True)):
        keys.setdefault(sid, CallKey(sid, _checked_account(account, entries, index)))
    return list(keys.values())


def _checked_account(account: object, entries: _Entries, index: int) -> str | None:
    if account is None or is_account_sid(account):
        return account
    raise InvalidSidError(
        f"{entries.name(index)} has an invalid account SID {_abridged(account)}: expected 'AC' "
        "followed by 32 hexadecimal digits"
    )


def _checked_as_read(entries: Iterator[object]) -> Iterator[CallKey]:
    for number, entry in enumerate(entries, start=1):
        sid = canonical_call_sid(entry)
        if sid is None:
            raise InvalidSidError(
                f"Entry {number}, {_abridged(entry)}, is not a Call SID: expected 'CA' "
                "followed by 32 hexadecimal digits"
            )
        yield CallKey(sid, None)


def _describe(malformed: list[int], entries: _Entries) -> str:
    shown = ", ".join(
        f"{entries.name(index)}: {_abridged(entries.sids[index])}"
        for index in malformed[:_NAMED_AT_MOST]
    )
    more = len(malformed) - _NAMED_AT_MOST
    return (
        f"{len(malformed):,} of {len(entries.sids):,} entries are not Call SIDs (expected 'CA' "
        f"followed by 32 hexadecimal digits): {shown}"
        + (f", and {more:,} more" if more > 0 else "")
    )


def _abridged(sid: object) -> str:
    if isinstance(sid, Iterable) and not isinstance(sid, str | bytes):
        return f"a {_class_name(sid)}"
    return _cut(repr(sid))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_AT_MOST else text[: _SHOWN_AT_MOST - 3] + "..."


def _class_name(value: object) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _from_file(path: Path) -> _Entries:
    if CALL_SID.fullmatch(str(path)):
        raise SidListError(
            f"Expected a path or a list of SIDs, found the single SID {str(path)!r}: put it in "
            "a list"
        )
    if "\0" in str(path):
        raise SidListError(f"Invalid path {str(path)!r}: it contains a NUL character")
    kind, read = _READERS.get(path.suffix.lower(), ("UTF-8 text", _from_text))
    try:
        return read(path)
    except OSError as error:
        raise SidListError(
            f"Cannot read the SID list {str(path)!r}: {error.strerror or _first_line(error)}"
        ) from error
    except UnicodeEncodeError as error:
        raise SidListError(f"Invalid path {str(path)!r}: {_first_line(error)}") from error
    except (UnicodeDecodeError, pa.ArrowException, csv.Error) as error:
        raise SidListError(
            f"The SID list {str(path)!r} is not {kind}: {_first_line(error)}"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _from_text(path: Path) -> _Entries:
    lines = path.read_bytes().decode("utf-8-sig").splitlines()
    numbered = {number: line.strip() for number, line in enumerate(lines, start=1) if line.strip()}
    return _Entries(list(numbered.values()), None, "line", list(numbered))


def _from_parquet(path: Path) -> _Entries:
    # Opened here, since Arrow would take some names for addresses.
    with path.open("rb") as raw, pq.ParquetFile(raw, page_checksum_verification=True) as file:
        names = file.schema_arrow.names
        _check_names(names, repr(str(path)))
        wanted = [name for name in ("sid", "account_sid") if name in names]
        # What pandas wrote beside it would make an index of a column, or may be damaged.
        frame = file.read(columns=wanted).replace_schema_metadata(None).to_pandas()
    return _from_columns(frame, repr(str(path)))


def _from_csv(path: Path) -> _Entries:
    holder = repr(str(path))
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = next((line for line in file if line.strip()), "")
        header = next(csv.reader([first], delimiter=separator), [])
        _check_header(header, separator, holder)
        wanted = [header.index(name) for name in ("sid", "account_sid") if name in header]
        rows: list[list[str]] = []
        for cells in filter(None, csv.reader(file, delimiter=separator, strict=True)):
            if any(cells[len(header) :]):
                raise SidListError(
                    f"{holder} has {len(cells)} cells in row {len(rows) + 1}, but "
                    f"{len(header)} columns: quote the cells that contain {separator!r}"
                )
            rows.append([cells[place] if place < len(cells) else "" for place in wanted])
    accounts = [row[1] or None for row in rows] if len(wanted) > 1 else None
    return _Entries([row[0] for row in rows], accounts, "row")


def _check_header(header: list[str], separator: str, holder: str) -> None:
    if not header:
        raise SidListError(f"{holder} is empty: expected a header with a column 'sid'")
    if "sid" not in header:
        for other in ",;\t|":
            if any("sid" in name.replace('"', "").split(other) for name in header):
                raise SidListError(
                    f"{holder} has no column 'sid': it seems to be separated by {other!r}, but "
                    f"expected {separator!r}"
                )
    _check_names(header, holder)


_READERS: dict[str, tuple[str, Callable[[Path], _Entries]]] = {
    ".parquet": ("a Parquet file", _from_parquet),
    ".csv": ("a CSV file", _from_csv),
    ".tsv": ("a TSV file", _from_csv),
}


def _from_columns(frame: pd.DataFrame, holder: str) -> _Entries:
    indexed = "sid" in frame.index.names and "sid" not in list(frame.columns)
    names = [*frame.columns, *(["sid"] if indexed else [])]
    _check_names(names, holder)
    sids = (frame.index.get_level_values("sid") if indexed else frame["sid"]).tolist()
    if "account_sid" not in names:
        return _Entries(sids, place="row")
    accounts = frame["account_sid"].astype(object)
    return _Entries(sids, accounts.where(accounts.notna() & (accounts != ""), None).tolist(), "row")


def _check_names(names: list[str], holder: str) -> None:
    if "sid" not in names:
        shown = ", ".join(_cut(repr(name)) for name in islice(names, 10)) or "no columns at all"
        raise SidListError(f"{holder} has no column 'sid'. Available columns: {shown}")
    for name in ("sid", "account_sid"):
        if names.count(name) > 1:
            raise SidListError(f"{holder} has {names.count(name)} columns named {name!r}: keep one")
