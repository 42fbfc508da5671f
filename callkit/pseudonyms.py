"""Pseudonyms for parties: the same party has the same pseudonym, and there is no way back.

A pseudonym is made from HMAC-SHA256 (RFC 2104) of the canonical address. Telephone numbers are so
few, some 10⁹ to a country, that plain hashes of them all can be listed and looked up; without the
key this list cannot be made. Of 256 bits, 128 are kept: the odds that any two of 10⁹ parties share
a pseudonym are below 1 in 10²⁰.
"""

import hmac
from typing import Literal, TypeAlias

import pandas as pd
import pyarrow as pa
from pyarrow import types

from callkit.addresses import canonical, channel_of, is_withheld, origin_of, read_pseudonym
from callkit.errors import FrameError
from callkit.normaliser import table_to_frame
from callkit.schema import ATTRIBUTES

Key: TypeAlias = bytes | str
Keep: TypeAlias = Literal["country"] | None

_DROPPED = ("caller_name", "from_formatted", "to_formatted")
_PARTIES: dict[str, pa.Field] = {
    column.name: column.field
    for column in ATTRIBUTES
    if column.personal and column.name not in _DROPPED
} | {name: pa.field(name, pa.string()) for name in ("our_number", "other_party")}
_LEAST_KEY = 16  # bytes, as many as a pseudonym has
_CHUNK = 2**20  # rows; a chunk of text can hold two gigabytes


def pseudonymise(df: pd.DataFrame, key: Key, *, keep: Keep = None) -> pd.DataFrame:
    """Replace parties with pseudonyms, so that the DataFrame can be shared.

    With one key, a party has the same pseudonym everywhere, even in your own tables: joins still
    work, and parties can be counted.

    Parameters
    ----------
    df : pandas.DataFrame
        Calls as :func:`callkit.to_frame` returns them, some columns of them, or a breakdown.
    key : bytes or str
        A secret of at least 16 bytes, for example from ``secrets.token_hex(32)``. Anyone who has it
        can identify the parties: keep it away from the data and out of notebooks. If it is lost,
        later pseudonyms will not match these.
    keep : {"country"}, optional
        Keep the country and type of a number in its pseudonym, as breakdowns have them.

    Returns
    -------
    pandas.DataFrame
        The same rows in the same order. ``from``, ``to``, ``forwarded_from`` and, in breakdowns,
        ``our_number`` and ``other_party`` hold pseudonyms (``str``); ``caller_name``,
        ``from_formatted`` and ``to_formatted`` are removed. Of ``df.attrs``, only ``callkit``
        remains.

    Raises
    ------
    FrameError
        `df` is not a pandas DataFrame, a column of parties is not text or already contains
        pseudonyms, or parties are in the index or in column names.
    TypeError, ValueError
        The key is neither bytes nor text, or is too short; `keep` is invalid.

    Notes
    -----
    - A pseudonym is ``pstn~`` (or ``client~``, ``sip~``, ``sim~``, ``other~``) plus 32 hexadecimal
      digits, the first 128 bits of HMAC-SHA256; with ``keep="country"``, that of a number is
      ``pstn~DE~mobile~`` and the same digits. Breakdowns by ``channel`` do not change, nor do those
      by ``country`` and ``number_type`` if they are kept; otherwise all numbers form one group,
      ``pseudonym``.
    - Spellings of one address share a pseudonym: numbers equal in E.164 (one without its country
      code matches only itself), SIP addresses of one address of record. A SIP, WhatsApp or client
      address made of a number is a different party from the number.
    - Withheld numbers (``+266696687``, ``anonymous``) and nulls are unchanged, as are other
      columns, even if they contain numbers (such as ``to_x``), and an index without a name.
    - Country and number type follow the package phonenumbers, whose numbering plans change: to join
      data from different years, join on the digits, ``df["to"].str[-32:]``.
    - The result is pseudonymous, not anonymous, and so still personal data (GDPR, Article 4(5) and
      recital 26): times, durations, prices, SIDs and calling patterns remain. ``keep="country"``
      reveals more about a party that is the only one of its country and type.

    Examples
    --------
    Your own table can still be joined, if its numbers are in a column of the same name:

    >>> key = "only this example's key"
    >>> body = '{"sid": "CA0123456789abcdef0123456789abcdef", "from": "+442079460000"}'
    >>> calls = pseudonymise(callkit.normalise([body]), key)
    >>> calls.loc[0, "from"]
    'pstn~d5e878670d98a0a7e6e2f72e3aaf6aaa'
    >>> mine = pseudonymise(pd.DataFrame({"from": ["+44 20 7946 0000"], "customer": [17]}), key)
    >>> calls.merge(mine, on="from", how="left", validate="many_to_one")["customer"].tolist()
    [17]
    """
    try:
        names = Pseudonyms(key, keep=keep)
    finally:
        del key  # a traceback may show locals
    return with_pseudonyms(df, names)


def with_pseudonyms(df: pd.DataFrame, names: "Pseudonyms") -> pd.DataFrame:
    """Do what :func:`pseudonymise` does, with pseudonyms made before."""
    _check(df)
    result = df.drop(columns=[name for name in _DROPPED if name in df.columns])
    for place, name in enumerate(result.columns):
        if name in _PARTIES:
            table = pa.table({name: _arrow(name, result.iloc[:, place])})
            result.isetitem(place, table_to_frame(names.of_table(table))[name].array)
            if any(map(read_pseudonym, table.column(0).unique().drop_null().to_pylist())):
                raise FrameError(
                    f"Column {name!r} already contains pseudonyms. Pass the original addresses: a "
                    "pseudonym of a pseudonym cannot be joined to anything"
                )
    result.attrs = {name: said for name, said in df.attrs.items() if name == "callkit"}
    return result


def _arrow(name: str, values: pd.Series) -> pa.Array | pa.ChunkedArray:
    try:
        return pa.Array.from_pandas(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        pass  # Arrow's message would quote values
    raise FrameError(f"Column {name!r} holds values of several types: expected parties as text")


def _check(df: pd.DataFrame) -> None:
    if not isinstance(df, pd.DataFrame):
        raise FrameError(
            f"Expected a pandas DataFrame, not {type(df).__module__}.{type(df).__name__}. Convert "
            "it first, for example with df.to_pandas() or callkit.normalise(bodies)"
        )
    if df.columns.nlevels > 1:
        raise FrameError("The columns have several levels of names: expected one")
    for name in (*df.index.names, *df.columns.names):
        if name in _PARTIES or name in _DROPPED:
            raise FrameError(
                f"{name!r} is the name of an index or of the column axis. Make it a column "
                "first, with reset_index() or melt()"
            )


class Pseudonyms:
    """The pseudonyms made with one key. The key never appears in a repr or a pickle.

    Parameters
    ----------
    key, keep
        As for :func:`pseudonymise`, with the same errors; a line break at the key's end is ignored.

    Examples
    --------
    >>> names = Pseudonyms("only this example's key", keep="country")
    >>> names.of("+44 20 7946 0000")
    'pstn~GB~fixed~d5e878670d98a0a7e6e2f72e3aaf6aaa'
    """

    __slots__ = ("_keep", "_mac")

    def __init__(self, key: Key, *, keep: Keep = None) -> None:
        secret = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key
        if isinstance(secret, bytes):
            secret = secret.rstrip(b"\r\n")  # of a file that holds it
        fault = _fault_of(secret, keep)
        self._keep = keep
        if fault is None:
            self._mac = hmac.new(secret, digestmod="sha256")
        del key, secret  # a traceback may show locals
        if fault is not None:
            raise fault

    def __repr__(self) -> str:
        return f"Pseudonyms(keep={self._keep!r})"

    def __reduce__(self) -> str:
        raise TypeError("Pseudonyms cannot be pickled. Create them again from the key")

    def of(self, address: str) -> str:
        """Make the pseudonym of an address; a withheld (``anonymous``) or blank one is kept."""
        written = canonical(address)
        if not written or is_withheld(address):
            return written
        mac = self._mac.copy()
        mac.update(written.encode("utf-8", "surrogatepass"))
        channel = channel_of(address)
        kept = origin_of(address) if self._keep and channel == "pstn" else ()
        return "~".join((channel, *kept, mac.hexdigest()[:32]))

    def of_table(self, table: pa.Table) -> pa.Table:
        """Replace parties with pseudonyms in a table of calls or of a breakdown.

        Names, formatted numbers and the metadata of the table are left out; other columns and the
        metadata of the fields are kept.
        """
        kept = [place for place, name in enumerate(table.column_names) if name not in _DROPPED]
        table = table.select(kept).replace_schema_metadata()
        for place, name in enumerate(table.column_names):
            if name in _PARTIES:
                made = self._of_parties(name, table.column(place))
                table = table.set_column(place, _PARTIES[name], made)
        return table

    def _of_parties(self, name: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
        if values.null_count == len(values):
            return pa.chunked_array([pa.nulls(len(values), pa.string())])
        plain = values.type.value_type if types.is_dictionary(values.type) else values.type
        if plain not in (pa.string(), pa.large_string(), pa.string_view()):
            raise FrameError(
                f"Column {name!r} has type {values.type}: expected parties as text, such as "
                "'+442079460000'"
            )
        slices = [
            chunk.slice(start, _CHUNK).cast(pa.string())
            for chunk in values.chunks
            for start in range(0, len(chunk), _CHUNK)
        ]
        coded = pa.chunked_array(slices).dictionary_encode()  # all chunks share one dictionary
        distinct = coded.chunk(0).dictionary.to_pylist()
        made = pa.array([self.of(address) for address in distinct], pa.large_string())
        return pa.chunked_array(
            [made.take(chunk.indices).cast(pa.string()) for chunk in coded.chunks]
        )


def _fault_of(secret: object, keep: object) -> TypeError | ValueError | None:
    if not isinstance(secret, bytes):
        return TypeError(f"Invalid key: expected bytes or text, not {type(secret).__name__}")
    length = len(secret.strip())
    if length < _LEAST_KEY:
        return ValueError(
            f"The key has {length} bytes: expected at least {_LEAST_KEY}, for example from "
            "secrets.token_hex(32)"
        )
    if keep not in (None, "country"):
        return ValueError(f"Invalid keep {keep!r}: expected 'country' or None")
    return None
