"""Pseudonyms in the place of the parties in a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from callkit.errors import FrameError
from callkit.normalise import table_to_frame
from callkit.pseudonyms.keyed import DROPPED, PARTIES, Pseudonyms, read_pseudonym

if TYPE_CHECKING:
    from pandas.api.extensions import ExtensionArray

    from callkit.pseudonyms.keyed import Keep, Key

__all__ = ["pseudonymise", "with_pseudonyms"]


def pseudonymise(df: pd.DataFrame, key: Key, *, keep: Keep = None) -> pd.DataFrame:
    """Put pseudonyms in the place of parties, so that a frame can be handed on.

    Under one key a party has the same pseudonym in every column, in the next export and in a table
    of your own: joins still work, and parties can be counted.

    Parameters
    ----------
    df : pandas.DataFrame
        Calls as :func:`callkit.to_frame` returns them, some columns of them, or a breakdown.
    key : bytes or str
        A secret of at least 16 bytes, such as ``secrets.token_hex(32)`` makes. Whoever has it can
        tell who is who, so it belongs neither beside the data nor into a notebook. Without it
        pseudonyms to come will not match these.
    keep : {"country"}, optional
        Let the pseudonym of a number say its country and number type, as breakdowns have them.

    Returns
    -------
    pandas.DataFrame
        The same rows in the same order. ``from``, ``to``, ``forwarded_from`` and, of breakdowns,
        ``our_number`` and ``other_party`` hold pseudonyms (``str``); ``caller_name``,
        ``from_formatted`` and ``to_formatted`` are gone; other columns are as they were. Of
        ``df.attrs`` only what is callkit's is left.

    Raises
    ------
    FrameError
        `df` is no pandas DataFrame, a column of parties is not text or holds pseudonyms already, or
        parties stand in the index or as names of columns.
    TypeError, ValueError
        The key is neither bytes nor text, or is too short; `keep` is none.

    Notes
    -----
    - A pseudonym is ``pstn~`` (or ``client~``, ``sip~``, ``sim~``, ``other~``) and 32 hexadecimal
      digits, the first 128 bits of HMAC-SHA256; with ``keep="country"`` that of a number is
      ``pstn~DE~mobile~`` and the same digits. So breakdowns by ``channel`` are as before, and by
      ``country`` and ``number_type`` too if they are kept; else numbers are one group,
      ``pseudonym``.
    - Spellings of one address share a pseudonym: of numbers those equal in E.164, ``tel:`` among
      them, but without its country code a number stands alone; of SIP addresses those of one
      address of record. A SIP, WhatsApp or client address made of a number is another party than
      the number.
    - Numbers withheld (``+266696687``, ``anonymous``) stay, since they are nobody's; null stays
      null.
    - Country and number type follow the package phonenumbers, whose numbering plans change: to join
      over the years, join the digits, ``df["to"].str[-32:]``.
    - A list of all numbers of a country, hashed, reveals what a plain hash hides. It reveals
      nothing here, because it cannot be made without the key.
    - The result is pseudonymous, not anonymous, and so still personal data (GDPR, Article 4(5) and
      recital 26). With the key anyone can tell who is who. Times, durations and prices stay exact,
      and may be known from elsewhere; so may the pattern of somebody's calls. SIDs stay, since
      joins need them: whoever may sign in to the account can look them up. ``keep="country"``
      tells more of those who are alone in their country and type.
    - Columns of your own stay as they are, even where they hold numbers (``to_x`` after a merge,
      say), and so does an index without a name.

    Examples
    --------
    >>> import callkit
    >>> body = '{"sid": "CA0123456789abcdef0123456789abcdef", "from": "+442079460000"}'
    >>> calls = callkit.normalise([body])
    >>> pseudonymise(calls, "only this example's key").loc[0, "from"]
    'pstn~d5e878670d98a0a7e6e2f72e3aaf6aaa'

    A table of your own still joins, when its numbers stand in a column of the same name:

    >>> customers = pd.DataFrame({"from": ["+44 20 7946 0000"], "customer": [17]})
    >>> ours, theirs = (pseudonymise(df, "only this example's key") for df in (calls, customers))
    >>> ours.merge(theirs, on="from", how="left", validate="many_to_one")["customer"].tolist()
    [17]
    """
    try:
        names = Pseudonyms(key, keep=keep)
    finally:
        del key  # a traceback may show locals
    return with_pseudonyms(df, names)


def with_pseudonyms(df: pd.DataFrame, names: Pseudonyms) -> pd.DataFrame:
    """Do what :func:`pseudonymise` says, with pseudonyms whose key was given before."""
    _check(df)
    result = df.drop(columns=[name for name in DROPPED if name in df.columns])
    for place, name in enumerate(result.columns):
        if name in PARTIES:
            result.isetitem(place, _of_column(names, name, result.iloc[:, place]))
    result.attrs = {name: said for name, said in df.attrs.items() if name == "callkit"}
    return result


def _of_column(names: Pseudonyms, name: str, values: pd.Series) -> ExtensionArray:
    table = pa.table({name: _arrow(name, values)})
    made = table_to_frame(names.of_table(table))
    if any(map(read_pseudonym, table.column(0).unique().drop_null().to_pylist())):
        raise FrameError(
            f"column {name!r} holds pseudonyms already, and a pseudonym of a pseudonym joins to "
            "nothing: pass addresses as they came"
        )
    column: ExtensionArray = made[name].array
    return column


def _arrow(name: str, values: pd.Series) -> pa.Array | pa.ChunkedArray:
    try:
        return pa.Array.from_pandas(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        pass  # what Arrow says of it quotes values
    raise FrameError(f"column {name!r} holds values of several kinds: parties are text")


def _check(df: object) -> None:
    if not isinstance(df, pd.DataFrame):
        library = type(df).__module__.partition(".")[0]
        advice = ": pass df.to_pandas()" if hasattr(df, "to_pandas") else ""
        raise FrameError(
            f"expected a pandas DataFrame of calls, not {library}.{type(df).__name__}{advice}"
        )
    if df.columns.nlevels > 1:
        raise FrameError("the columns have names of several levels: one is expected")
    for name in (*df.index.names, *df.columns.names):
        if name in PARTIES or name in DROPPED:
            raise FrameError(
                f"{name!r} stands in the index or over the columns, and should be a column: "
                "reset_index() or melt() first"
            )
