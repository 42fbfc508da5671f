"""One body read with care: slower than the batch, and the judge of whatever the batch refuses."""

from __future__ import annotations

import json
import re
import reprlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from callkit.schema import ATTRIBUTES, Column, Kind
from callkit.sids import is_account_sid

__all__ = ["Body", "BodyError", "Row", "abridged", "call_sid", "read_body", "row_of"]

Body: TypeAlias = "bytes | bytearray | memoryview | str | Mapping[str, Any]"
Row: TypeAlias = "tuple[str | dict[str, str | None] | None, ...]"

_CALL_SID = re.compile(r"CA[0-9a-fA-F]{32}")
_NUMERIC = {Kind.SECONDS, Kind.MILLISECONDS, Kind.MONEY}
_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 60
_FEW = 100


class BodyError(Exception):
    """A body breaks the contract; `sid` and `account_sid` are the body's own where it tells."""

    def __init__(
        self, message: str, *, sid: str | None = None, account_sid: str | None = None
    ) -> None:
        super().__init__(message)
        self.sid = sid
        self.account_sid = account_sid


class _Number(str):
    """A JSON number as its digits stand in the body: a float would change them."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def abridged(value: object) -> str:
    """Show `value` in a message: its repr, the middle left out where it is long."""
    return _SHOWN.repr(value)


def call_sid(value: object) -> str | None:
    """Give a Call SID as ``CA`` and lower-case hexadecimal digits; None if `value` is none."""
    if isinstance(value, str) and _CALL_SID.fullmatch(value):
        return "CA" + value[2:].lower()
    return None


def read_body(body: object) -> Mapping[str, Any]:
    """Read one body as a mapping, JSON numbers as their digits.

    RFC 8259 leaves open which of two equal keys counts, so a body that has any is refused, however
    deep they lie. A byte order mark is passed over, as its §8.1 allows.
    """
    if isinstance(body, Mapping):
        return body
    text = _text_of(body)
    repeated: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        attributes = dict(pairs)
        if len(attributes) < len(pairs):
            names = [name for name, _ in pairs]
            repeated.extend(name for name in attributes if names.count(name) > 1)
        return attributes

    try:
        attributes = json.loads(
            text,
            object_pairs_hook=once,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        raise BodyError(f"the body is not JSON: {error}" if text else "the body is empty") from None
    except RecursionError:
        raise BodyError("the body is nested too deeply to be a call") from None
    if not isinstance(attributes, dict):
        raise BodyError(f"the body is {_kind_of(attributes)}, not a JSON object")
    if repeated:
        raise BodyError(
            f"the key {abridged(repeated[0])} stands more than once in one object of the body",
            **({} if "sid" in repeated else _identity(attributes)),
        )
    return attributes


def row_of(attributes: Mapping[str, Any]) -> Row:
    """Take the 26 attributes as text (the URIs as a dict), or None, in the schema's order."""
    try:
        return tuple([_checked(column, attributes.get(column.name)) for column in ATTRIBUTES])
    except BodyError as error:
        raise BodyError(str(error), **_identity(attributes)) from None


def _text_of(body: object) -> str:
    if isinstance(body, str):
        text = body
    elif isinstance(body, bytes | bytearray | memoryview):
        try:
            text = str(body, "utf-8")
        except UnicodeDecodeError as error:
            raise BodyError(f"the body is not UTF-8 text: {error.reason}") from None
    else:
        raise BodyError(f"a body is bytes, text or a mapping, not {type(body).__name__}")
    return text.removeprefix("\ufeff")


def _refuse_constant(name: str) -> None:
    raise json.JSONDecodeError(f"{name} is no JSON number", "", 0)


def _identity(attributes: Mapping[str, Any]) -> dict[str, str | None]:
    account = attributes.get("account_sid")
    return {
        "sid": call_sid(attributes.get("sid")),
        "account_sid": account if is_account_sid(account) else None,
    }


def _checked(column: Column, value: object) -> str | dict[str, str | None] | None:
    if value is None or (isinstance(value, str) and not value):
        return None
    if column.kind is Kind.JSON:
        return _uris(column, value)
    if column.kind in _NUMERIC and not isinstance(value, str):
        return _digits_of(column, value)
    if not isinstance(value, str) or (isinstance(value, _Number) and column.kind not in _NUMERIC):
        raise BodyError(f"{column.name}: {_shown(column, value)} where the contract says text")
    if not _is_unicode(value):
        raise BodyError(f"{column.name}: {_shown(column, value)} holds half a surrogate pair")
    return str(value)


def _digits_of(column: Column, value: object) -> str:
    if isinstance(value, float):
        raise BodyError(
            f"{column.name}: {value!r} is a float, whose digits may not be those of the body; "
            "pass the body's bytes, or a Decimal"
        )
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise BodyError(f"{column.name}: {_shown(column, value)} where the contract says text")
    try:
        return _plain(value) if isinstance(value, Decimal) else str(value)
    except ValueError:  # Python writes no integer of more than some thousand digits
        raise BodyError(f"{column.name}: an integer of far too many digits") from None


def _plain(value: Decimal) -> str:
    """Write without an exponent, unless that takes more than a few zeros."""
    exponent = value.as_tuple().exponent
    return f"{value:f}" if isinstance(exponent, int) and abs(exponent) < _FEW else str(value)


def _uris(column: Column, value: object) -> dict[str, str | None]:
    if not isinstance(value, Mapping):
        raise BodyError(f"{column.name}: {_shown(column, value)} where an object of URIs belongs")
    for name, uri in value.items():
        for part in (name, "" if uri is None else uri):
            if not isinstance(part, str) or isinstance(part, _Number) or not _is_unicode(part):
                raise BodyError(f"{column.name}: {abridged(part)} where text belongs")
    return dict(value)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(column: Column, value: object) -> str:
    """Name a value's kind, and the value too where it is nobody's personal data."""
    return _kind_of(value) if column.personal else f"{abridged(value)}, {_kind_of(value)},"


def _kind_of(value: object) -> str:
    kinds: list[tuple[type, str]] = [
        (bool, "a boolean"),
        (_Number, "a number"),
        (str, "text"),
        (Mapping, "an object"),
        (list, "a list"),
        (type(None), "null"),
    ]
    return next((name for kind, name in kinds if isinstance(value, kind)), type(value).__name__)
