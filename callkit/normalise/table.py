"""Bodies → the Arrow table: each call in exactly one place, a row or a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from callkit.normalise.columns import categorical, text_column, typed_column
from callkit.normalise.decode import Broken, decode
from callkit.outcomes import Failure
from callkit.schema import ATTRIBUTES, SCHEMA, Kind
from callkit.sids import is_account_sid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from callkit.normalise.body import Body

__all__ = ["Batch", "read_batch", "settle", "to_table"]


class Batch(NamedTuple):
    """What a batch of bodies gave: rows, in which categories are still text, and broken bodies.

    ``places`` says where the body of each row stood.
    """

    rows: pa.Table
    places: list[int]
    broken: list[Broken]


def to_table(
    bodies: Sequence[Body], sids: Sequence[str] | None = None
) -> tuple[pa.Table, list[Failure]]:
    """Type a batch of bodies.

    Parameters
    ----------
    bodies : sequence of bytes, str or mapping
        Some ten thousand at most: they are worked on at once.
    sids : sequence of str, optional
        The call that each body was fetched for, as :func:`callkit.sids.read_sids` writes SIDs. A
        body of another call is then broken, and every failure knows its SID.

    Returns
    -------
    pyarrow.Table
        One row per call, in the order of first mention, in :data:`callkit.SCHEMA`.
    list of Failure
        The bodies that break the contract, reason ``bad_response``.
    """
    batch = read_batch(bodies)
    return settle([batch if sids is None else _of_calls(batch, sids)])


def read_batch(bodies: Sequence[object], first: int = 0) -> Batch:
    """Decode and type a batch whose first body stands at place `first`."""
    texts: list[list[pa.Array]] = [[text_column(column, [])] for column in ATTRIBUTES]
    places: list[int] = []
    broken: list[Broken] = []
    for decoded in decode(bodies):
        if decoded.rows:
            columns = zip(texts, ATTRIBUTES, zip(*decoded.rows, strict=True), strict=True)
            for text, column, values in columns:
                text.append(text_column(column, values))
        places += [first + place for place in decoded.places]
        broken += [body._replace(place=first + body.place) for body in decoded.broken]
    arrays: list[pa.Array] = []
    reasons: dict[int, str] = {}
    for column, text in zip(ATTRIBUTES, texts, strict=True):
        array, refused = typed_column(column, pa.concat_arrays(text))
        arrays.append(array)
        for row, reason in refused.items():
            reasons.setdefault(row, f"{column.name}: {reason}")
    rows = pa.table(arrays, names=SCHEMA.names)
    # The array, not the table: Arrow before 26 crashes on no chunks (apache/arrow#51018).
    nameless = arrays[SCHEMA.get_field_index("sid")].is_null()
    for row in pc.indices_nonzero(nameless).to_pylist():
        reasons.setdefault(row, "sid: missing, so nobody knows which call this is")
    return _without_rows(Batch(rows, places, broken), reasons)


def settle(batches: Iterable[Batch]) -> tuple[pa.Table, list[Failure]]:
    """Put batches together; of the bodies of one call the last counts, at the first one's place."""
    tables, places, broken = [], [], []
    for batch in batches:
        tables.append(batch.rows)
        places += batch.places
        broken += batch.broken
    rows = pa.concat_tables(tables or [_EMPTY])
    if broken or pc.count_distinct(rows["sid"]).as_py() < len(rows):
        kept, broken = _last_of_each(rows["sid"].to_pylist(), places, broken)
        if kept != list(range(len(rows))):
            rows = rows.take(pa.array(kept, pa.int64()))
    columns = [
        categorical(rows[column.name], column.vocabulary)
        if column.kind is Kind.CATEGORY
        else rows[column.name]
        for column in ATTRIBUTES
    ]
    return pa.table(columns, schema=SCHEMA), [_failure(body) for body in broken]


def _last_of_each(
    sids: list[str], places: list[int], broken: list[Broken]
) -> tuple[list[int], list[Broken]]:
    """Choose the rows and the broken bodies that are the last of their call, by first mention."""
    bodies: list[tuple[int, str | None, int | Broken]] = [
        *((place, sid, row) for row, (place, sid) in enumerate(zip(places, sids, strict=True))),
        *((body.place, body.sid, body) for body in broken),
    ]
    bodies.sort(key=lambda body: body[0])
    last = {place if sid is None else sid: outcome for place, sid, outcome in bodies}
    kept = [outcome for outcome in last.values() if isinstance(outcome, int)]
    return kept, [outcome for outcome in last.values() if isinstance(outcome, Broken)]


def _without_rows(batch: Batch, reasons: dict[int, str]) -> Batch:
    """Move the rows that have something wrong with them to the broken bodies."""
    if not reasons:
        return batch
    sids, accounts = batch.rows["sid"], batch.rows["account_sid"]
    broken = [
        Broken(batch.places[row], sids[row].as_py(), accounts[row].as_py(), reason)
        for row, reason in reasons.items()
    ]
    kept = [row for row in range(len(batch.places)) if row not in reasons]
    return Batch(
        batch.rows.take(pa.array(kept, pa.int64())),
        [batch.places[row] for row in kept],
        batch.broken + broken,
    )


def _of_calls(batch: Batch, sids: Sequence[str]) -> Batch:
    """Break the rows that are not of the call asked for, and tell each broken body its call."""
    reasons = {
        row: f"sid: {got!r} is another call than the one asked for"
        for row, (got, place) in enumerate(
            zip(batch.rows["sid"].to_pylist(), batch.places, strict=True)
        )
        if got != sids[place]
    }
    checked = _without_rows(batch, reasons)
    broken = [body._replace(sid=sids[body.place]) for body in checked.broken]
    return checked._replace(broken=broken)


def _failure(body: Broken) -> Failure:
    account = body.account_sid if is_account_sid(body.account_sid) else None
    message = body.message if body.sid else f"body {body.place + 1}: {body.message}"
    return Failure(body.sid, account, "bad_response", message)


_EMPTY = read_batch([]).rows
