"""Bodies → Arrow table → DataFrame: every value right, or refused by name.

``bodies`` reads bodies as text and puts each call in exactly one place, a row or a failure;
``casts`` makes typed columns of the text, and DataFrames; ``dates`` reads dates.
"""

import warnings
from collections.abc import Iterable, Mapping
from typing import Literal

import pandas as pd

from callkit.errors import IncompleteWarning, NormaliseError
from callkit.normaliser.bodies import Body, to_table
from callkit.normaliser.casts import failures_frame, table_to_frame

__all__ = ["Body", "normalise", "table_to_frame", "to_table"]


def normalise(bodies: Iterable[Body], errors: Literal["raise", "warn"] = "raise") -> pd.DataFrame:
    """Convert the bodies of calls, wherever they came from, to a typed DataFrame.

    Parameters
    ----------
    bodies : iterable of bytes, str or mapping
        Each is the JSON object of one call, as the server sent it or decoded. Bytes and text are
        best: a float in a mapping may have lost digits and is refused.
    errors : {"raise", "warn"}
        Whether to raise or warn once, after all bodies are read, if some break the contract.

    Returns
    -------
    pandas.DataFrame
        One row per distinct call, in the order of first mention, with the columns of
        :data:`callkit.SCHEMA`; see :func:`callkit.to_frame` for their dtypes.

    Raises
    ------
    NormaliseError
        Some bodies break the contract. ``.frame`` has the others, ``.failures`` the reasons.

    Warns
    -----
    IncompleteWarning
        The same, with ``errors="warn"``.

    Notes
    -----
    - ``null``, ``""`` and a missing attribute all count as absent; ``"0"`` is zero. Only ``sid`` is
      required. Other attributes are ignored.
    - If a call has several bodies, the last is used, broken or not, where the first was. If a body
      has a key more than once, the last one is used, at every level.
    - A JSON number is read, digit by digit, where the contract has a number as text (``duration``,
      ``queue_time``, ``price``); anywhere else, a value that is not text is broken.
    - Dates are read as RFC 5322 (the successor of RFC 2822, which the API names) writes them today:
      ``Tue, 14 Nov 2023 10:00:00 +0000``, with or without a weekday, the zone as an offset
      (``-0000`` is UTC), GMT, UT or UTC; or as ISO 8601 has them, and so Bulk Export files:
      ``2023-11-14T10:00:00Z``, the zone as ``Z`` or an offset (``+01:00``, ``+0100``), seconds with
      or without a fraction of whole microseconds. A date in any other form, without seconds or a
      zone, or with the wrong weekday is broken.
    - Prices have at most ten digits before the point and eight after it; others are broken, never
      rounded.
    - ``sid`` and ``parent_call_sid`` are given as ``CA`` and lower-case hexadecimal digits.

    Examples
    --------
    >>> body = b'{"sid": "CA0123456789abcdef0123456789abcdef", "duration": "65", "price": "-0.03"}'
    >>> frame = normalise([body])
    >>> frame.loc[0, "duration"], frame.loc[0, "price"]
    (Timedelta('0 days 00:01:05'), Decimal('-0.03000000'))
    """
    if errors not in {"raise", "warn"}:
        raise ValueError(f"Invalid errors {errors!r}: expected 'raise' or 'warn'")
    if isinstance(bodies, bytes | bytearray | memoryview | str | Mapping):
        raise TypeError(
            f"Expected an iterable of bodies, not {type(bodies).__name__}: put it in a list"
        )
    table, failures = to_table(bodies)
    frame = table_to_frame(table)
    if failures:
        message = (
            f"{len(failures):,} of {len(failures) + len(frame):,} calls have a body that breaks "
            f"the contract, the first: {failures[0].message}"
        )
        if errors == "raise":
            raise NormaliseError(
                f"{message}; after `except callkit.errors.NormaliseError as e`, e.frame holds the "
                "other calls and e.failures says what is wrong with these",
                frame=frame,
                failures=failures_frame(failures),
            )
        warnings.warn(message, IncompleteWarning, stacklevel=2)
    return frame
