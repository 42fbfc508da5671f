"""What a Call SID is, and how a SID list is read from whatever a user holds."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, repeat
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeGuard, cast

import pandas as pd
import pyarrow as pa

from callkit.errors import InvalidSidError, SidListError
from callkit.pairs import why_not_whole
from callkit.parquet_files import check_complete, opened

SidSource: TypeAlias = str | PathLike[str] | pd.DataFrame | Iterable[object]

_CALL_SID = re.compile(r"CA[0-9a-fA-F]{32}")
_ACCOUNT_SID = re.compile(r"AC[0-9a-fA-F]{32}")
_NAMED_AT_MOST = 5
_SHOWN_AT_MOST = 60


class CallKey(NamedTuple):
    """One call to fetch. ``account_sid`` is None if the list does not name it."""

    sid: str
    account_sid: str | None

    def path(self, account_sid: str) -> str:
        """Where the record is, in the account that was found for it."""
        return f"/2010-04-01/Accounts/{account_sid}/Calls/{self.sid}.json"


def canonical_call_sid(value: object) -> str | None:
    """Write a Call SID as ``CA`` and lower-case hexadecimal digits; None if `value` is not one."""
    if isinstance(value, str) and _CALL_SID.fullmatch(value):
        return "CA" + value[2:].lower()
    return None


def canonical_account_sid(sid: str) -> str:
    """Write an Account SID as the API does, with lower-case digits."""
    return f"AC{sid[2:].lower()}"


def is_account_sid(value: object) -> TypeGuard[str]:
    """Whether `value` is written as an Account SID is: ``AC`` and 32 hexadecimal digits."""
    return isinstance(value, str) and _ACCOUNT_SID.fullmatch(value) is not None


def read_sids(source: SidSource) -> list[CallKey] | Iterator[CallKey]:
    """Read a SID list, each call once, in the order of first mention.

    A text file has one SID a line; a CSV or Parquet file, like a frame, has a ``sid`` column. An
    ``account_sid`` column beside it names the account of each call. Whatever has an end becomes a
    list, checked whole; a generator an iterator that checks as it reads.

    SIDs are returned as ``CA`` and lower-case digits, since spreadsheets turn them to upper case.
    What is not a Call SID raises an InvalidSidError, and what cannot be read at all a SidListError.
    """
    if isinstance(source, Iterator) and not hasattr(type(source), "columns"):
        return _checked_as_read(source)
    try:
        entries = _entries_of(source)
        return _keys(_canonical(entries), entries)
    except (SidListError, InvalidSidError) as error:
        # A notebook shows every frame: those in here say nothing that the message does not.
        raise error.with_traceback(None) from None


def accounts_found(source: object) -> set[str]:
    """Return the accounts in which calls were found, as the attrs of a run's failures say."""
    if not isinstance(source, pd.DataFrame | pd.Series):
        return set()
    match source.attrs:
        case {"callkit": {"found_in": [*accounts]}}:
            return set(filter(is_account_sid, accounts))
    return set()


class DatedSids(NamedTuple):
    """A SID list, and what its date column holds for each row."""

    keys: list[CallKey]
    sids: list[str]
    date_column: str
    dates: "pd.Series[Any]"


def read_dated_sids(source: SidSource, date_column: str) -> DatedSids:
    """Read a SID list as :func:`read_sids` does, and a column beside it, which is not checked."""
    try:
        entries = _entries_of(source, date_column)
        assert entries.dates is not None  # noqa: S101  (a list without columns is refused)
        sids = _canonical(entries)
        return DatedSids(_keys(sids, entries), sids, date_column, entries.dates)
    except (SidListError, InvalidSidError) as error:
        raise error.with_traceback(None) from None


class _Entries(NamedTuple):
    """What a list holds, not checked yet, and how its entries are to be named."""

    sids: Sequence[object]
    accounts: Sequence[object] | None = None
    place: str = "entry"
    numbers: Sequence[int] | None = None  # where they are not simply 1, 2, 3, …
    dates: "pd.Series[Any] | None" = None

    def name(self, index: int) -> str:
        return f"{self.place} {self.numbers[index] if self.numbers else index + 1}"


def _canonical(entries: _Entries) -> list[str]:
    sids = list(map(canonical_call_sid, entries.sids))
    if None in sids:
        raise InvalidSidError(_malformed(sids, entries))
    return cast("list[str]", sids)


def _keys(sids: list[str], entries: _Entries) -> list[CallKey]:
    if entries.accounts is None:
        return list(map(CallKey._make, zip(dict.fromkeys(sids), repeat(None))))
    keys: dict[str, CallKey] = {}
    for index, (sid, account) in enumerate(zip(sids, entries.accounts, strict=True)):
        if not (account is None or is_account_sid(account)):
            raise InvalidSidError(
                f"{entries.name(index)} has an invalid account SID {_abridged(account)}: expected "
                "'AC' followed by 32 hexadecimal digits"
            )
        keys.setdefault(sid, CallKey._make((sid, account)))
    return list(keys.values())


def _checked_as_read(entries: Iterator[object]) -> Iterator[CallKey]:
    seen: set[str] = set()
    for number, entry in enumerate(entries, start=1):
        sid = canonical_call_sid(entry)
        if sid is None:
            raise InvalidSidError(
                f"Entry {number}, {_abridged(entry)}, is not a Call SID: expected 'CA' "
                "followed by 32 hexadecimal digits"
            )
        if sid not in seen:
            seen.add(sid)
            yield CallKey(sid, None)


def _malformed(sids: list[str | None], entries: _Entries) -> str:
    malformed = [index for index, sid in enumerate(sids) if sid is None]
    shown = ", ".join(
        f"{entries.name(index)}: {_abridged(entries.sids[index])}"
        for index in malformed[:_NAMED_AT_MOST]
    )
    more = len(malformed) - _NAMED_AT_MOST
    return (
        f"{len(malformed):,} of {len(sids):,} entries are not Call SIDs (expected 'CA' "
        f"followed by 32 hexadecimal digits): {shown}"
        + (f", and {more:,} more" if more > 0 else "")
    )


def _abridged(entry: object) -> str:
    if isinstance(entry, Iterable) and not isinstance(entry, str | bytes):
        return f"a {_class_name(entry)}"
    return _cut(repr(entry))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_AT_MOST else text[: _SHOWN_AT_MOST - 3] + "..."


def _class_name(value: object) -> str:
    kind = type(value)
    return f"{kind.__module__}.{kind.__name__}".removeprefix("builtins.")


def _entries_of(source: SidSource, date_column: str | None = None) -> _Entries:
    if isinstance(source, str | PathLike):
        return _from_file(Path(source), date_column)
    if isinstance(source, pd.DataFrame):
        return _from_columns(source, "the frame", date_column)
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
    _check_no_date_column(date_column, f"a {_class_name(source)}")
    return _Entries(list(source))


def _check_no_date_column(date_column: str | None, source: str) -> None:
    if date_column is not None:
        raise SidListError(
            f"Cannot read the date column {_cut(repr(date_column))} from {source}: it needs a "
            "DataFrame, or a CSV, TSV or Parquet file"
        )


def _from_file(path: Path, date_column: str | None) -> _Entries:
    if _CALL_SID.fullmatch(str(path)):
        raise SidListError(
            f"Expected a path or a list of SIDs, found the single SID {str(path)!r}: put it in "
            "a list"
        )
    if "\0" in str(path):
        raise SidListError(f"Invalid path {str(path)!r}: it contains a NUL character")
    if reason := why_not_whole(path):
        raise SidListError(reason)
    kind, read = _READERS.get(path.suffix.lower(), ("UTF-8 text", _from_text))
    try:
        return read(path, date_column)
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


def _from_text(path: Path, date_column: str | None) -> _Entries:
    _check_no_date_column(date_column, f"the text file {str(path)!r}")
    lines = path.read_bytes().decode("utf-8-sig").splitlines()
    numbered = {number: line.strip() for number, line in enumerate(lines, start=1) if line.strip()}
    return _Entries(list(numbered.values()), None, "line", list(numbered))


def _from_parquet(path: Path, date_column: str | None) -> _Entries:
    with opened(path) as file:
        names = file.schema_arrow.names
        _check_names(names, repr(str(path)), date_column)
        wanted = [name for name in _columns_read(date_column) if name in names]
        table = file.read(columns=wanted)
        check_complete(table, file)
        try:
            # What pandas wrote beside it would make an index of a column, or may be damaged.
            frame = _in_utc(table).replace_schema_metadata(None).to_pandas()
        except (ValueError, OverflowError, MemoryError) as error:  # years, or sizes
            raise pa.ArrowInvalid(_first_line(error)) from error
    return _from_columns(frame, repr(str(path)), date_column)


def _in_utc(table: pa.Table) -> pa.Table:
    """Turn instants to UTC: pandas does not know every zone that a file may name."""
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz is not None:
            instants = table[place].cast(pa.timestamp(field.type.unit, "UTC"))
            table = table.set_column(place, field.name, instants)
    return table


def _from_csv(path: Path, date_column: str | None) -> _Entries:
    holder = repr(str(path))
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = next((line for line in file if line.strip()), "")
        header = next(csv.reader([first], delimiter=separator), [])
        _check_header(header, separator, holder, date_column)
        wanted = [name for name in _columns_read(date_column) if name in header]
        places = [header.index(name) for name in wanted]
        rows: list[list[str]] = []
        for cells in filter(None, csv.reader(file, delimiter=separator, strict=True)):
            if any(cells[len(header) :]):
                raise SidListError(
                    f"{holder} has {len(cells)} cells in row {len(rows) + 1}, but "
                    f"{len(header)} columns: quote the cells that contain {separator!r}"
                )
            rows.append([cells[place] if place < len(cells) else "" for place in places])
    return _from_columns(pd.DataFrame(rows, columns=wanted, dtype=object), holder, date_column)


def _check_header(header: list[str], separator: str, holder: str, date_column: str | None) -> None:
    if not header:
        raise SidListError(f"{holder} is empty: expected a header with a column 'sid'")
    if "sid" not in header:
        for other in ",;\t|":
            if any("sid" in name.replace('"', "").split(other) for name in header):
                raise SidListError(
                    f"{holder} has no column 'sid': its separator seems to be {other!r}, not "
                    f"{separator!r}"
                )
    _check_names(header, holder, date_column)


_READERS: dict[str, tuple[str, Callable[[Path, str | None], _Entries]]] = {
    ".parquet": ("a Parquet file", _from_parquet),
    ".csv": ("a CSV file", _from_csv),
    ".tsv": ("a TSV file", _from_csv),
}


def _from_columns(frame: pd.DataFrame, holder: str, date_column: str | None) -> _Entries:
    columns = list(frame.columns)
    in_index = [
        name
        for name in ("sid", date_column)
        if name is not None and name in frame.index.names and name not in columns
    ]
    _check_names([*columns, *in_index], holder, date_column)

    def column(name: str) -> "pd.Series[Any]":
        return pd.Series(frame.index.get_level_values(name) if name in in_index else frame[name])

    dates = None if date_column is None else column(date_column)
    sids = column("sid").tolist()
    if "account_sid" not in columns:
        return _Entries(sids, place="row", dates=dates)
    accounts = frame["account_sid"].astype(object)
    named = accounts.where(accounts.notna() & (accounts != ""), None).tolist()
    return _Entries(sids, named, "row", dates=dates)


def _columns_read(date_column: str | None) -> list[str]:
    columns = ["sid", "account_sid"]
    return columns if date_column is None or date_column in columns else [*columns, date_column]


def _check_names(names: list[str], holder: str, date_column: str | None) -> None:
    for name in ("sid", date_column):
        if name is not None and name not in names:
            shown = ", ".join(_cut(repr(name)) for name in islice(names, 10)) or "no columns at all"
            raise SidListError(
                f"{holder} has no column {_cut(repr(name))}. Available columns: {shown}"
            )
    for name in _columns_read(date_column):
        if names.count(name) > 1:
            raise SidListError(f"{holder} has {names.count(name)} columns named {name!r}: keep one")
