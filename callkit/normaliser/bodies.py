"""Bodies → the Arrow table: each call in exactly one place, a row or a failure.

No body can affect another: each is read alone. msgspec reads bodies as Twilio sends them. What it
refuses is read again by Python's own JSON reader, which is slower, accepts every other valid form
and describes errors. In both, the last of several equal keys counts.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from itertools import filterfalse, islice
from typing import Any, TypeAlias

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from callkit.normaliser.casts import typed_columns, with_categories
from callkit.normaliser.dates import abridged
from callkit.outcomes import Failure
from callkit.schema import ATTRIBUTES, SCHEMA, Column, Kind
from callkit.sids import canonical_call_sid, is_account_sid

Body: TypeAlias = bytes | bytearray | memoryview | str | Mapping[str, Any]

_BATCH = 16_000
_LOT = 250  # few enough for each to use the memory of the one before: new memory costs more
_URIS = next(i for i, column in enumerate(ATTRIBUTES) if column.kind is Kind.JSON)
_NUMERIC = {Kind.SECONDS, Kind.MILLISECONDS, Kind.MONEY}
_FEW = 100
_SURROGATE = re.compile("[\ud800-\udfff]")

_TEXT = str | None
_FIELDS: list[Any] = [
    (column.name, dict[str, _TEXT] | None if column.kind is Kind.JSON else _TEXT, None)
    for column in ATTRIBUTES
]
_astuple = msgspec.structs.astuple
_decode = msgspec.json.Decoder[Any](msgspec.defstruct("Call", _FIELDS, gc=False)).decode
_encode = msgspec.json.Encoder().encode
_texts = partial(pa.array, type=pa.string())
_NOTHING = [_texts([])] * len(ATTRIBUTES)


class BodyError(Exception):
    """A body breaks the contract; `sid` and `account_sid` are its own, where it has them."""

    def __init__(self, message: str, attributes: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        known = attributes or {}
        account = known.get("account_sid")
        self.sid = canonical_call_sid(known.get("sid"))
        self.account_sid: str | None = account if is_account_sid(account) else None


def to_table(
    bodies: Iterable[Body], sids: Sequence[str] | None = None
) -> tuple[pa.Table, list[Failure]]:
    """Type bodies, so many at a time that memory never holds the text of all.

    The table has one row per call, in the order of first mention, in :data:`callkit.SCHEMA`; the
    failures are the bodies that break the contract, reason ``bad_response``. `sids` are the calls
    that the bodies were fetched for: a body of another call is then broken, and every failure knows
    its SID.
    """
    remaining = iter(bodies)
    tables: list[pa.Table] = []
    places: list[int] = []
    broken: dict[int, Failure] = {}
    while (batch := list(islice(remaining, _BATCH))) or not tables:
        tables.append(_typed(batch, _BATCH * len(tables), sids, places, broken))
    rows = pa.concat_tables(tables)
    broken = {place: _numbered(failure, place) for place, failure in broken.items()}
    failures = list(broken.values())
    if broken or pc.count_distinct(rows["sid"]).as_py() < len(rows):
        kept, failures = _last_of_each(rows["sid"].to_pylist(), places, broken)
        if kept != list(range(len(rows))):
            rows = rows.take(pa.array(kept, pa.int64()))
    return with_categories(rows), failures


def each_typed(bodies: list[Body]) -> tuple[pa.Table, dict[int, Failure]]:
    """Type bodies as above, but keep all of one call, and give failures by place in the list.

    Categories are still text.
    """
    broken: dict[int, Failure] = {}
    return _typed(bodies, 0, None, [], broken), broken


def _numbered(failure: Failure, place: int) -> Failure:
    if failure.sid is not None:
        return failure
    return replace(failure, message=f"body {place + 1}: {failure.message}")


def _typed(
    bodies: list[Body],
    first: int,
    sids: Sequence[str] | None,
    places: list[int],
    broken: dict[int, Failure],
) -> pa.Table:
    """Type a batch whose first body has place `first`; its categories are still text.

    The places of the bodies are added to `places` or, with what is wrong with them, to `broken`.
    """
    texts, errors = _read(bodies, first)
    columns, reasons = typed_columns(texts)
    rows = pa.table(columns, names=SCHEMA.names)
    read = list(filterfalse(errors.__contains__, range(first, first + len(bodies))))
    for row, (place, sid) in enumerate(zip(read, rows["sid"].to_pylist(), strict=True)):
        if sid is None:
            reasons.setdefault(row, "sid: missing, so the call cannot be identified")
        elif sids is not None and sid != sids[place]:
            reasons.setdefault(row, f"sid: {sid!r} is another call than the one asked for")
    for row, why in reasons.items():
        identity = {name: rows[name][row].as_py() for name in ("sid", "account_sid")}
        errors[read[row]] = BodyError(why, identity)
    for place, error in errors.items():
        sid = error.sid if sids is None else sids[place]
        broken[place] = Failure(sid, error.account_sid, "bad_response", str(error))
    if reasons:
        kept = [row for row in range(len(read)) if row not in reasons]
        rows = rows.take(pa.array(kept, pa.int64()))
        read = [read[row] for row in kept]
    places += read
    return rows


def _read(bodies: list[Body], first: int) -> tuple[list[pa.Array], dict[int, BodyError]]:
    """Read bodies into columns of text, and what cannot be read into errors by place."""
    lots: list[list[pa.Array]] = [_NOTHING]
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
        lots.append(list(map(_texts, columns)))
    return list(map(pa.concat_arrays, zip(*lots, strict=True))), errors


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


class _Number(str):
    """A JSON number with the digits of the body, which a float would change."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


_KINDS = (
    *((bool, "a boolean"), (_Number, "a number"), (str, "text")),
    *((Mapping, "an object"), (list, "a list"), (type(None), "null")),
)


def read_body(body: object) -> tuple[str | dict[str, str | None] | None, ...]:
    """Read the attributes as text (the URIs as a dict), or None, in the schema's order.

    Raises
    ------
    BodyError
        It is not a JSON object, or an attribute has the wrong type.
    """
    try:
        octets = body if isinstance(body, bytes) else _encoded(body)
        if not octets.isascii():
            str(octets, "utf-8")  # msgspec does not check what it passes over
        return _astuple(_decode(octets))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        attributes = body if isinstance(body, Mapping) else _parsed(_text_of(body))
    try:
        return tuple([_checked(column, attributes.get(column.name)) for column in ATTRIBUTES])
    except BodyError as error:
        raise BodyError(str(error), attributes) from None


def _encoded(body: object) -> bytes:
    """Return the bytes of a JSON body, or bytes that are not JSON."""
    if isinstance(body, bytearray | memoryview):
        return bytes(body)
    return body.encode() if isinstance(body, str) else b""


def _parsed(text: str) -> dict[str, Any]:
    """Read a JSON object, its numbers as their digits."""
    try:
        attributes = json.loads(
            text, parse_int=_Number, parse_float=_Number, parse_constant=_refuse_constant
        )
    except json.JSONDecodeError as error:
        raise BodyError(f"the body is not JSON: {error}" if text else "the body is empty") from None
    except RecursionError:
        raise BodyError("the body is nested too deeply to be a call") from None
    if not isinstance(attributes, dict):
        raise BodyError(f"the body is {_kind_of(attributes)}, not a JSON object")
    return attributes


def _text_of(body: object) -> str:
    """Decode a body, without the byte order mark that RFC 8259 §8.1 allows to pass over."""
    if isinstance(body, str):
        text = body
    elif isinstance(body, bytes | bytearray | memoryview):
        try:
            text = str(body, "utf-8")
        except UnicodeDecodeError as error:
            raise BodyError(f"the body is not UTF-8 text: {error.reason}") from None
    else:
        raise BodyError(f"expected a body as bytes, text or a mapping, not {type(body).__name__}")
    return text.removeprefix("\ufeff")


def _refuse_constant(name: str) -> None:
    raise json.JSONDecodeError(f"{name} is not a JSON number", "", 0)


def _checked(column: Column, value: object) -> str | dict[str, str | None] | None:
    if value is None or (isinstance(value, str) and not value):
        return None
    if column.kind is Kind.JSON:
        return _uris(column, value)
    if column.kind in _NUMERIC and not isinstance(value, str):
        return _digits_of(column, value)
    if not isinstance(value, str) or (isinstance(value, _Number) and column.kind not in _NUMERIC):
        raise BodyError(f"{column.name}: expected text, found {_shown(column, value)}")
    if _SURROGATE.search(value):
        raise BodyError(f"{column.name}: {_shown(column, value)} contains half a surrogate pair")
    return str(value)


def _digits_of(column: Column, value: object) -> str:
    if isinstance(value, float):
        raise BodyError(
            f"{column.name}: {value!r} is a float and may have lost digits; pass the body as "
            "bytes, or a Decimal"
        )
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise BodyError(f"{column.name}: expected text, found {_shown(column, value)}")
    try:  # without an exponent, unless that takes more than a few zeros
        few = isinstance(value, Decimal) and abs(value.adjusted()) < _FEW
        return f"{value:f}" if few else str(value)
    except ValueError:  # Python writes no integer of more than some thousand digits
        raise BodyError(f"{column.name}: an integer with too many digits") from None


def _uris(column: Column, value: object) -> dict[str, str | None]:
    if isinstance(value, str) and not isinstance(value, _Number):
        value = _uris_in(column, value)
    if not isinstance(value, Mapping):
        raise BodyError(f"{column.name}: expected an object of URIs, found {_shown(column, value)}")
    for name, uri in value.items():
        for part in (name, "" if uri is None else uri):
            if not isinstance(part, str) or isinstance(part, _Number) or _SURROGATE.search(part):
                raise BodyError(f"{column.name}: expected text, found {abridged(part)}")
    return dict(value)


def _uris_in(column: Column, text: str) -> dict[str, Any]:
    """Read an object that is JSON text, as callkit's own JSON Lines have it."""
    try:
        return _parsed(text)
    except BodyError:
        raise BodyError(
            f"{column.name}: expected an object of URIs, found {_shown(column, text)}"
        ) from None


def _shown(column: Column, value: object) -> str:
    """Name a value's type, and the value too unless it is personal data."""
    return _kind_of(value) if column.personal else f"{abridged(value)}, {_kind_of(value)},"


def _kind_of(value: object) -> str:
    return next((name for kind, name in _KINDS if isinstance(value, kind)), type(value).__name__)
