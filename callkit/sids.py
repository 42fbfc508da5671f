"""What a Call SID is, and how a SID list is read from whatever a user holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, repeat
from os import PathLike
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from callkit.errors import InvalidSidError, SidListError

__all__ = ["CallKey", "SidSource", "distinct", "is_account_sid", "read_sids"]

SidSource: TypeAlias = "str | PathLike[str] | pd.DataFrame | Iterable[object]"

_CALL_SID = re.compile(r"CA[0-9a-fA-F]{32}")
_ACCOUNT_SID = re.compile(r"AC[0-9a-fA-F]{32}")
_NAMED_AT_MOST = 5
_SHOWN_AT_MOST = 60


class CallKey(NamedTuple):
    """One call to fetch. ``account_sid`` is None where the list does not say whose it is."""

    sid: str
    account_sid: str | None


def is_account_sid(value: object) -> bool:
    """Whether `value` is written as an Account SID is: ``AC`` and 32 hexadecimal digits."""
    return isinstance(value, str) and _ACCOUNT_SID.fullmatch(value) is not None


def read_sids(source: SidSource) -> list[CallKey] | Iterator[CallKey]:
    """Read a SID list, each call once, in the order of first mention.

    Parameters
    ----------
    source : str, path, DataFrame, Series, Index or any iterable
        A path to a text file (one SID a line), a CSV or a Parquet file (with a ``sid`` column); a
        frame with a ``sid`` column; or the SIDs themselves. An ``account_sid`` column beside the
        SIDs, where there is one, says whose calls they are.

    Returns
    -------
    list of CallKey, or an iterator of them
        A list, checked whole, for everything that has an end; an iterator that checks as it reads
        for a generator. SIDs are ``CA`` and lower-case hexadecimal digits, since spreadsheets turn
        them to upper case.

    Raises
    ------
    InvalidSidError
        Entries are no Call SIDs. The message names the first few and where they stand.
    SidListError
        The list cannot be read at all.

    Examples
    --------
    >>> read_sids(["CA" + "0A" * 16, "CA" + "0a" * 16])
    [CallKey(sid='CA0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a', account_sid=None)]
    """
    if isinstance(source, str | PathLike):
        return _checked_whole(*_from_file(Path(source)))
    if isinstance(source, pd.DataFrame):
        return _checked_whole(*_from_columns(source, "the frame"), place="row")
    if isinstance(source, bytes) or not isinstance(source, Iterable):
        raise SidListError(
            f"a SID list is a list, Series, Index, frame, generator or path, "
            f"not {type(source).__name__}"
        )
    if isinstance(source, Iterator):
        return distinct(_checked_as_read(source))
    entries = list(source)
    return _checked_whole(entries, repeat(None, len(entries)))


def distinct(keys: Iterable[CallKey]) -> Iterator[CallKey]:
    """Yield each call at its first mention only."""
    seen: set[str] = set()
    for key in keys:
        if key.sid not in seen:
            seen.add(key.sid)
            yield key


def _checked_whole(
    sids: Sequence[object], accounts: Iterable[object], place: str = "entry"
) -> list[CallKey]:
    keys: dict[str, CallKey] = {}
    malformed: list[tuple[int, object]] = []
    matches = _CALL_SID.fullmatch
    for number, (sid, account) in enumerate(zip(sids, accounts, strict=True), start=1):
        if not (isinstance(sid, str) and matches(sid)):
            malformed.append((number, sid))
        elif not (account is None or is_account_sid(account)):
            raise InvalidSidError(
                f"{place} {number} names the account {account!r}, which is no Account SID "
                "('AC' and 32 hexadecimal digits)"
            )
        else:
            canonical = "CA" + sid[2:].lower()
            keys.setdefault(canonical, CallKey(canonical, account))  # type: ignore[arg-type]
    if malformed:
        raise InvalidSidError(_describe(malformed, len(sids), place))
    return list(keys.values())


def _checked_as_read(entries: Iterator[object]) -> Iterator[CallKey]:
    for number, sid in enumerate(entries, start=1):
        if not (isinstance(sid, str) and _CALL_SID.fullmatch(sid)):
            raise InvalidSidError(_describe([(number, sid)], None, "entry"))
        yield CallKey("CA" + sid[2:].lower(), None)


def _describe(malformed: list[tuple[int, object]], total: int | None, place: str) -> str:
    shown = ", ".join(
        f"{place} {number}: {_abridged(sid)}" for number, sid in islice(malformed, _NAMED_AT_MOST)
    )
    if total is None:
        return f"{shown} is no Call SID ('CA' and 32 hexadecimal digits)"
    more = len(malformed) - _NAMED_AT_MOST
    return (
        f"{len(malformed):,} of {total:,} entries are no Call SIDs ('CA' and 32 hexadecimal "
        f"digits): {shown}" + (f", and {more:,} more" if more > 0 else "")
    )


def _abridged(sid: object) -> str:
    text = repr(sid)
    return text if len(text) <= _SHOWN_AT_MOST else text[: _SHOWN_AT_MOST - 3] + "..."


def _from_file(path: Path) -> tuple[Sequence[object], Iterable[object], str]:
    if _CALL_SID.fullmatch(str(path)):
        raise SidListError(f"{str(path)!r} is one SID, not a path: pass it in a list")
    suffix = path.suffix.lower()
    try:
        if suffix == ".parquet":
            return *_from_parquet(path), "row"
        if suffix in {".csv", ".tsv"}:
            return *_from_csv(path, "\t" if suffix == ".tsv" else ","), "row"
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise SidListError(
            f"the SID list {str(path)!r} cannot be read: {error.strerror or error}"
        ) from error
    except (UnicodeDecodeError, pa.ArrowInvalid) as error:
        kind = {".parquet": "a Parquet file", ".csv": "a CSV file", ".tsv": "a TSV file"}
        raise SidListError(
            f"the SID list {str(path)!r} is not {kind.get(suffix, 'UTF-8 text')}: "
            f"{str(error).splitlines()[0]}"
        ) from error
    numbered = [line.strip() for line in lines]
    return _without_blanks(numbered)


def _without_blanks(lines: list[str]) -> tuple[Sequence[object], Iterable[object], str]:
    sids = [line for line in lines if line]
    return sids, repeat(None, len(sids)), "entry"


def _from_parquet(path: Path) -> tuple[Sequence[object], Iterable[object]]:
    names = pyarrow.parquet.read_schema(path).names
    wanted = [name for name in ("sid", "account_sid") if name in names]
    table = pyarrow.parquet.read_table(path, columns=wanted) if wanted else None
    return _from_columns(
        table.to_pandas() if table is not None else pd.DataFrame(columns=names), repr(str(path))
    )


def _from_csv(path: Path, delimiter: str) -> tuple[Sequence[object], Iterable[object]]:
    try:
        frame = pd.read_csv(
            path, sep=delimiter, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
    except pd.errors.ParserError as error:
        raise SidListError(f"the SID list {str(path)!r} is not a CSV file: {error}") from error
    except pd.errors.EmptyDataError as error:
        raise SidListError(
            f"the SID list {str(path)!r} is empty: it should begin with a header that names 'sid'"
        ) from error
    return _from_columns(frame, repr(str(path)))


def _from_columns(frame: pd.DataFrame, holder: str) -> tuple[Sequence[object], Iterable[object]]:
    if "sid" not in frame.columns:
        columns = ", ".join(map(repr, islice(frame.columns, 10))) or "no columns at all"
        raise SidListError(f"{holder} needs a column 'sid' and has {columns}")
    sids = frame["sid"].tolist()
    if "account_sid" not in frame.columns:
        return sids, repeat(None, len(sids))
    accounts = frame["account_sid"].astype(object)
    return sids, accounts.where(accounts.notna() & (accounts != ""), None).tolist()
