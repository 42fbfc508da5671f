"""Durations and prices: exact, or refused."""

from __future__ import annotations

import re
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from callkit.normalise.body import abridged
from callkit.schema import MONEY

__all__ = ["durations", "matching", "money", "one_duration", "one_price"]

_WHOLE_DIGITS = MONEY.precision - MONEY.scale
_FRACTION_DIGITS = MONEY.scale
_PLAIN_PRICE = rf"^-?[0-9]{{1,{_WHOLE_DIGITS}}}(\.[0-9]{{1,{_FRACTION_DIGITS}}})?$"
_PRICE = re.compile(r"(?P<sign>[+-]?)(?P<whole>[0-9]*)(?:\.(?P<fraction>[0-9]+))?")
# Some 30 years, in either unit: Arrow's own cast would take "0x41" for 65, and "-1".
_DURATION_DIGITS = {"s": 9, "ms": 12}


def matching(text: pa.Array, pattern: str) -> pa.Array:
    """Keep the values that match `pattern`; null the others."""
    taken = pc.match_substring_regex(text, pattern)
    return text if pc.all(taken).as_py() else pc.if_else(taken, text, pa.scalar(None, text.type))


def durations(text: pa.Array, unit: str) -> pa.Array:
    """Cast whole numbers of `unit`; null whatever is none."""
    digits = matching(text, rf"^[0-9]{{1,{_DURATION_DIGITS[unit]}}}$")
    return digits.cast(pa.int64()).cast(pa.duration(unit))


def one_duration(text: str, unit: str) -> int:
    """Refuse `text`: whatever is a whole number, the cast of the column has taken."""
    name = {"s": "seconds", "ms": "milliseconds"}[unit]
    raise ValueError(f"{abridged(text)} is not a whole number of {name}")


def money(text: pa.Array) -> pa.Array:
    """Cast prices in their usual form; null the others."""
    return matching(text, _PLAIN_PRICE).cast(MONEY)


def one_price(text: str) -> Decimal:
    """Read a price in any plain decimal form: a sign or not, zeros at either end or none.

    Examples
    --------
    >>> one_price("-.0170000000")
    Decimal('-0.017')
    """
    form = _PRICE.fullmatch(text)
    if form is None or not (form["whole"] or form["fraction"]):
        raise ValueError(f"{abridged(text)} is not a decimal number")
    whole, fraction = form["whole"].lstrip("0"), (form["fraction"] or "").rstrip("0")
    if len(whole) > _WHOLE_DIGITS or len(fraction) > _FRACTION_DIGITS:
        raise ValueError(
            f"{abridged(text)} has more digits than a price may have: {_WHOLE_DIGITS} before the "
            f"point, {_FRACTION_DIGITS} after it"
        )
    return Decimal(f"{form['sign']}{whole or '0'}.{fraction or '0'}")
