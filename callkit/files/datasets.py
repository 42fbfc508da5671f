"""Datasets by month brought up to date: each month is replaced whole, or not at all.

A run lists the calls of some accounts in a range of time anew. They are written to a dataset of
their own, and :func:`write_months` puts them into the months of the existing one. What lies
outside of the range stays; of that, :func:`not_final_calls` names the calls to fetch again.
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from callkit.errors import ParquetError
from callkit.files.footers import brought_up_to_date, outermost_as_of
from callkit.files.formats import months_of, parquet_file
from callkit.files.paths import KEY, NEVER_STARTED, PART, RUN_ID, months_in
from callkit.files.scanning import (
    account_sid,
    call_sid,
    not_final_in,
    one_of,
    read_metadata,
    rows_of,
    start_time,
)
from callkit.sids import CallKey

_OF_ONE_RUN = (
    *("version", "calls_asked", "calls_got", "calls_failed", "as_of_first", "as_of_last"),
    *("days_asked", "days_failed", "rows_of_other_days", "rows_never_started"),
    "calls_from_pages",
)


class Listed(NamedTuple):
    """What was listed: the calls of `accounts` that started from `start` on and before `end`."""

    start: datetime
    end: datetime
    accounts: Sequence[str]

    @property
    def before(self) -> ds.Expression:
        return start_time < self.start

    @property
    def within(self) -> ds.Expression:
        return (start_time >= self.start) & (start_time < self.end)

    @property
    def after(self) -> ds.Expression:
        return start_time >= self.end

    @property
    def of_others(self) -> ds.Expression:
        return account_sid.is_null() | ~one_of(account_sid, self.accounts)


class Refreshed(NamedTuple):
    """Calls outside of what was listed, fetched again; of these, the SIDs of those not final."""

    table: pa.Table
    not_final: Set[str]


def check_columns(target: Path, schema: pa.Schema) -> None:
    """Refuse to put calls of `schema` into a dataset of other columns."""
    ours = {f"{field.name!r} ({field.type})" for field in schema}
    for path in months_in(target).values():
        held = {f"{field.name!r} ({field.type})" for field in read_metadata(path).schema}
        if held != ours:
            differing = (
                f"only {where} has {', '.join(sorted(names))}"
                for where, names in (("the dataset", held - ours), ("this export", ours - held))
                if names
            )
            raise ParquetError(
                f"Cannot update {str(target)!r}, since its columns differ: "
                f"{'; '.join(differing)}. Export with the same pseudonyms=… as before, or to "
                "another folder"
            )


def check_unfiltered(target: Path) -> None:
    """Refuse to update a dataset of which it is not known which calls a filter left out."""
    for path in months_in(target).values():
        if filters := read_metadata(path).attributes.get("filters"):
            raise ParquetError(
                f"Cannot update {str(target)!r}: it holds calls filtered by {', '.join(filters)}. "
                "Export to another folder"
            )


def not_final_calls(target: Path, listed: Listed) -> list[CallKey]:
    """Name the calls of a dataset to fetch again: not final yet, and outside of what is listed."""
    outside = listed.of_others | start_time.is_null() | listed.before | listed.after
    keys: list[CallKey] = []
    for path in months_in(target).values():
        sids = not_final_in(path)
        if sids:
            for table in rows_of(path, one_of(call_sid, sids) & outside, ["sid", "account_sid"]):
                keys += map(CallKey, table["sid"].to_pylist(), table["account_sid"].to_pylist())
    return keys


def write_months(
    folder: Path,
    target: Path,
    new: Path,
    listed: Listed,
    *,
    listed_months: Set[str],
    refreshed: Refreshed,
    keep: Set[str] = frozenset(),
) -> None:
    """Put the calls of the dataset `new` into the months of `target` that were listed completely.

    What becomes of them is written to `folder`; a month that is not there stays as it is. In
    `listed_months`, the new calls replace those that the listing covers, except those to `keep`,
    whose new bodies were broken. `refreshed` are those of :func:`not_final_calls` that could be
    fetched; other months are written again only if this changes them. A call that has got a start
    time meanwhile moves to its month.
    """
    schema, attributes, _ = read_metadata(months_in(new)[NEVER_STARTED])
    check_columns(target, schema)
    refreshed = refreshed._replace(table=refreshed.table.select(schema.names))
    months = _months(
        target, new, listed, listed_months=listed_months, refreshed=refreshed, keep=keep
    )
    for month in months:
        if month.listed or month.changes():
            month.write(folder, schema, attributes)


@dataclass(frozen=True)
class _Month:
    """A month of the old dataset, and what becomes of it."""

    name: str
    old: Path | None
    new: Path | None
    listed: Listed | None  # if it was listed completely
    keep: Set[str]
    gone: Set[str]  # calls that were listed again, or are of another month by now
    refreshed: pa.Table
    was_not_final: Set[str]
    is_not_final: Set[str]  # of the refreshed ones

    def changes(self) -> bool:
        """Whether a refreshed call differs from the old one, or has become final."""
        sids = set(self.refreshed["sid"].to_pylist())
        if len(self.arriving) or self.was_not_final & (self.gone | (sids - self.is_not_final)):
            return True
        old = self._rows(self.old, one_of(call_sid, sids))
        return any(rows.to_pylist() != self._up_to_date(rows).to_pylist() for rows in old)

    def write(self, folder: Path, schema: pa.Schema, attributes: dict[str, Any]) -> None:
        place = folder / f"{KEY}={self.name}"
        place.mkdir()
        said = self._attributes(attributes)
        candidates = pa.array(self._candidates(), pa.string())
        not_final: list[str] = []
        with parquet_file(place / PART, schema, lambda: {"callkit": said}, not_final) as write:
            for group in self.rows():
                sids = group["sid"]
                not_final += sids.filter(pc.is_in(sids, candidates)).to_pylist()
                write(group)

    def rows(self) -> Iterator[pa.Table]:
        """Yield the calls in order: by account, old ones before the range, new ones, old ones."""
        if self.listed is None:
            yield from self._old_rows(None)
            yield self.arriving
            return
        for account in self.listed.accounts:
            own = account_sid == account
            kept = own & self.listed.within & one_of(call_sid, self.keep)
            calls = chain(
                self._old_rows(own & self.listed.before),
                self._rows(self.new, own),
                self._old_rows(own & self.listed.after),
            )
            more = [self.arriving.filter(own), *(self._old_rows(kept) if self.keep else ())]
            yield from _inserted(calls, _sorted(pa.concat_tables(more)))
        yield from self._old_rows(self.listed.of_others)
        yield self.arriving.filter(self.listed.of_others)

    @cached_property
    def arriving(self) -> pa.Table:
        """The refreshed calls that come from another month, in order of time."""
        sought = {*self.refreshed["sid"].to_pylist()} - self.was_not_final - self.gone
        if sought:
            for table in rows_of(self.old, one_of(call_sid, sought), ["sid"]):
                sought -= {*table["sid"].to_pylist()}
        return _sorted(self.refreshed.filter(one_of(call_sid, sought)))

    def _rows(self, path: Path | None, wanted: ds.Expression | None) -> Iterator[pa.Table]:
        return rows_of(path, wanted, self.refreshed.column_names)

    def _old_rows(self, wanted: ds.Expression | None) -> Iterator[pa.Table]:
        return map(self._up_to_date, self._rows(self.old, wanted))

    def _up_to_date(self, table: pa.Table) -> pa.Table:
        """Replace refreshed calls at their places, and remove those that have gone."""
        table = table.filter(~one_of(call_sid, self.gone))
        places = pc.index_in(table["sid"], self.refreshed["sid"].combine_chunks())
        if places.null_count == len(table):
            return table
        both = pa.concat_tables([table, self.refreshed]).unify_dictionaries().combine_chunks()
        places = pc.add(places.combine_chunks(), len(table))
        return both.take(pc.coalesce(places, pa.array(range(len(table)), places.type)))

    def _candidates(self) -> Set[str]:
        """Choose the calls that are not final, if they are still in the month."""
        listed = set() if self.new is None else {*not_final_in(self.new)}
        refreshed = {*self.refreshed["sid"].to_pylist()}
        return listed | ((self.was_not_final - refreshed | self.is_not_final) - self.gone)

    def _attributes(self, new: dict[str, Any]) -> dict[str, Any]:
        old = new if self.old is None else read_metadata(self.old).attributes
        said = brought_up_to_date(new, old) if self.listed else old
        kept = {key: value for key, value in said.items() if key not in _OF_ONE_RUN}
        own = {key: value for key, value in new.items() if key == RUN_ID}
        return kept | own | outermost_as_of([new, old])


def _months(
    target: Path,
    new: Path,
    listed: Listed,
    *,
    listed_months: Set[str],
    refreshed: Refreshed,
    keep: Set[str],
) -> Iterator[_Month]:
    """Choose the months to look at, and say of each which call of which dataset counts."""
    old_files, new_files = months_in(target), months_in(new)
    new_files = {month: file for month, file in new_files.items() if month in listed_months}
    not_final = {month: {*not_final_in(file)} for month, file in old_files.items()}
    sids = {*refreshed.table["sid"].to_pylist()}
    again = _sids_among(new_files.values(), sids.union(keep, *not_final.values()))
    months = months_of(refreshed.table)
    for month in sorted({*old_files, *new_files, *months.to_pylist()}):
        here = refreshed.table.filter(pc.equal(months, month))
        yield _Month(
            month,
            old_files.get(month),
            new_files.get(month),
            listed if month in listed_months else None,
            keep,
            again | (sids - {*here["sid"].to_pylist()}),
            here,
            not_final.get(month, set()),
            refreshed.not_final,
        )


def _sids_among(files: Iterable[Path], sids: Set[str]) -> set[str]:
    return {
        sid
        for file in files
        for table in rows_of(file, one_of(call_sid, sids), ["sid"])
        for sid in table["sid"].to_pylist()
    }


def _inserted(tables: Iterable[pa.Table], more: pa.Table) -> Iterator[pa.Table]:
    """Put each of a few calls, which are in order of time, before the first later one."""
    for each in tables:
        table = each
        while len(more):
            start, sid = more["start_time"][0], more["sid"][0]
            is_later = pc.or_(
                pc.greater(table["start_time"], start),
                pc.and_(pc.equal(table["start_time"], start), pc.greater(table["sid"], sid)),
            )
            place = pc.index(is_later, True).as_py()
            if place < 0:
                break
            yield table.slice(0, place)
            yield more.slice(0, 1)
            table, more = table.slice(place), more.slice(1)
        yield table
    yield more


def _sorted(table: pa.Table) -> pa.Table:
    return table.sort_by([("start_time", "ascending"), ("sid", "ascending")])
