"""Bodies → the Arrow table: each call in exactly one place, a row or a failure."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from callkit.normaliser.body import Body, BodyError, read_body
from callkit.normaliser.casts import categorical, typed_columns
from callkit.outcomes import Failure
from callkit.schema import ATTRIBUTES, SCHEMA, Kind

_BATCH = 16_000
_LOT = 250  # few enough for each to use the memory of the one before: new memory costs more
_URIS = next(i for i, column in enumerate(ATTRIBUTES) if column.kind is Kind.JSON)
_TEXT = pa.string()
_NOTHING = [pa.array([], _TEXT)] * len(ATTRIBUTES)
_encode = msgspec.json.Encoder().encode


class _Batch(NamedTuple):
    """Rows, in which categories are still text, with the places of their bodies; and failures."""

    rows: pa.Table
    places: list[int]
    broken: dict[int, Failure]


def to_table(
    bodies: Iterable[Body], sids: Sequence[str] | None = None
) -> tuple[pa.Table, list[Failure]]:
    """Type bodies, so many at a time that memory never holds the text of all.

    Parameters
    ----------
    bodies : iterable of bytes, str or mapping
        The JSON object of one call each.
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
    remaining = iter(bodies)
    batches = [_typed(list(islice(remaining, _BATCH)), 0, sids)]
    while batch := list(islice(remaining, _BATCH)):
        batches.append(_typed(batch, _BATCH * len(batches), sids))
    return _merged(batches)


def _typed(bodies: list[Body], first: int, sids: Sequence[str] | None) -> _Batch:
    """Type a batch whose first body has place `first`."""
    texts, errors = _read(bodies, first)
    columns, reasons = typed_columns(texts)
    rows = pa.table(columns, names=SCHEMA.names)
    places = [place for place in range(first, first + len(bodies)) if place not in errors]
    got: list[str | None] = rows["sid"].to_pylist()
    asked = got if sids is None else [sids[place] for place in places]
    for row, (sid, wanted) in enumerate(zip(got, asked, strict=True)):
        if sid is None:
            reasons.setdefault(row, "sid: missing, so the call cannot be identified")
        elif sid != wanted:
            reasons.setdefault(row, f"sid: {sid!r} is another call than the one asked for")
    for row, why in reasons.items():
        identity = {name: rows[name][row].as_py() for name in ("sid", "account_sid")}
        errors[places[row]] = BodyError(why, identity)
    broken = {}
    for place, error in errors.items():
        sid = error.sid if sids is None else sids[place]
        message = str(error) if sid else f"body {place + 1}: {error}"
        broken[place] = Failure(sid, error.account_sid, "bad_response", message)
    if reasons:
        kept = [row for row in range(len(got)) if row not in reasons]
        rows = rows.take(pa.array(kept, pa.int64()))
        places = [places[row] for row in kept]
    return _Batch(rows, places, broken)


def _read(bodies: list[Body], first: int) -> tuple[list[pa.Array], dict[int, BodyError]]:
    """Read bodies into columns of text, and what cannot be read into errors by place."""
    lots: list[list[pa.Array]] = []
    errors: dict[int, BodyError] = {}
    for start in range(0, len(bodies), _LOT):
        lot = []
        for place, body in enumerate(bodies[start : start + _LOT], first + start):
            try:
                lot.append(read_body(body))
            except BodyError as error:
                errors[place] = error
        columns: list[Sequence[Any]] = list(zip(*lot, strict=True)) or [()] * len(ATTRIBUTES)
        columns[_URIS] = [None if uris is None else _encode(uris) for uris in columns[_URIS]]
        lots.append([pa.array(values, _TEXT) for values in columns])
    return [pa.concat_arrays(chunks) for chunks in zip(*lots or [_NOTHING], strict=True)], errors


def _merged(batches: list[_Batch]) -> tuple[pa.Table, list[Failure]]:
    """Put batches together; of the bodies of one call the last counts, at the first one's place."""
    rows = pa.concat_tables([batch.rows for batch in batches])
    broken = {place: failure for batch in batches for place, failure in batch.broken.items()}
    failures = list(broken.values())
    if broken or pc.count_distinct(rows["sid"]).as_py() < len(rows):
        places = [place for batch in batches for place in batch.places]
        kept, failures = _last_of_each(rows["sid"].to_pylist(), places, broken)
        if kept != list(range(len(rows))):
            rows = rows.take(pa.array(kept, pa.int64()))
    columns = [
        categorical(rows[column.name], column.vocabulary)
        if column.kind is Kind.CATEGORY
        else rows[column.name]
        for column in ATTRIBUTES
    ]
    return pa.table(columns, schema=SCHEMA), failures


def _last_of_each(
    sids: list[str], places: list[int], broken: dict[int, Failure]
) -> tuple[list[int], list[Failure]]:
    """Choose the rows and the failures that are the last of their call, by first mention."""
    ends: dict[int, tuple[str | None, int | Failure]] = {
        place: (sid, row) for row, (place, sid) in enumerate(zip(places, sids, strict=True))
    }
    ends |= {place: (failure.sid, failure) for place, failure in broken.items()}
    last: dict[str | int, int | Failure] = {}
    for place, (sid, end) in sorted(ends.items(), key=lambda item: item[0]):
        last[place if sid is None else sid] = end
    kept = [end for end in last.values() if isinstance(end, int)]
    return kept, [end for end in last.values() if isinstance(end, Failure)]
