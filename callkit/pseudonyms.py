"""Pseudonyms for parties: the same party has the same pseudonym, and there is no way back.

A pseudonym is made from HMAC-SHA256 (RFC 2104) of the canonical address. There are so few telephone
numbers, some 10⁹ to a country, that anyone can hash them all and look a plain hash up in the list;
without the key that list cannot be made. Of its 256 bits, 128 are kept: among 10⁹ parties the odds
that any two share a pseudonym are below 1 in 10²⁰.
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
    """Replace parties by pseudonyms, so that the DataFrame can be shared.

    Under one key a party has the same pseudonym everywhere, in a table of your own too: joins still
    work, and parties can be counted.

    Parameters
    ----------
    df : pandas.DataFrame
        Calls as :func:`callkit.to_frame` returns them, some columns of them, or a breakdown.
    key : bytes or str
        A secret of at least 16 bytes, for example from ``secrets.token_hex(32)``. Anyone who has it
        can identify the parties: keep it away from the data and out of notebooks. Without it,
        later pseudonyms do not match these.
    keep : {"country"}, optional
        Keep the country and type of a number in its pseudonym, as breakdowns have them.

    Returns
    -------
    pandas.DataFrame
        The same rows in the same order. ``from``, ``to``, ``forwarded_from`` and, of breakdowns,
        ``our_number`` and ``other_party`` hold pseudonyms (``str``); ``caller_name``,
        ``from_formatted`` and ``to_formatted`` are gone; other columns stay. Of ``df.attrs`` only
        ``callkit`` remains.

    Raises
    ------
    FrameError
        `df` is not a pandas DataFrame, a column of parties is not text or already contains
        pseudonyms, or parties are in the index or in names of columns.
    TypeError, ValueError
        The key is neither bytes nor text, or is too short; `keep` is invalid.

    Notes
    -----
    - A pseudonym is ``pstn~`` (or ``client~``, ``sip~``, ``sim~``, ``other~``) and 32 hexadecimal
      digits, the first 128 bits of HMAC-SHA256; with ``keep="country"`` that of a number is
      ``pstn~DE~mobile~`` and the same digits. So breakdowns by ``channel`` are as before, and by
      ``country`` and ``number_type`` too if they are kept; else numbers are one group,
      ``pseudonym``.
    - Spellings of one address share a pseudonym: numbers equal in E.164 (without its country code a
      number stands alone), SIP addresses of one address of record. A SIP, WhatsApp or client
      address made of a number is another party than the number.
    - Numbers withheld (``+266696687``, ``anonymous``) and nulls stay, and so do columns of your
      own, even where they hold numbers (such as ``to_x``), and an index without a name.
    - Country and number type follow the package phonenumbers, whose numbering plans change: to join
      over the years, join the digits, ``df["to"].str[-32:]``.
    - The result is pseudonymous, not anonymous, and so still personal data (GDPR, Article 4(5) and
      recital 26): times, durations, prices, SIDs and the pattern of somebody's calls stay.
      ``keep="country"`` reveals more about parties that are alone in their country and type.

    Examples
    --------
    >>> import pandas as pd
    >>> body = '{"sid": "CA0123456789abcdef0123456789abcdef", "from": "+442079460000"}'
    >>> calls = callkit.normalise([body])
    >>> pseudonymise(calls, "only this example's key").loc[0, "from"]
    'pstn~d5e878670d98a0a7e6e2f72e3aaf6aaa'

    A table of your own can still be joined, if its numbers are in a column of the same name:

    >>> customers = pd.DataFrame({"from": ["+44 20 7946 0000"], "customer": [17]})
    >>> left, right = (pseudonymise(df, "only this example's key") for df in (calls, customers))
    >>> left.merge(right, on="from", how="left", validate="many_to_one")["customer"].tolist()
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
    """The pseudonyms under one key. The key shows in no repr and travels in no pickle.

    Parameters
    ----------
    key : bytes or str
        A secret of at least 16 bytes; a line break at its end is ignored.
    keep : {"country"}, optional
        Keep the country and type of a number in its pseudonym.

    Raises
    ------
    TypeError, ValueError
        The key is neither bytes nor text, or is too short; `keep` is invalid.

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
        """Make the pseudonym of one address; one withheld (``anonymous``) or blank stays."""
        written = canonical(address)
        if not written or is_withheld(address):
            return written
        mac = self._mac.copy()
        mac.update(written.encode("utf-8", "surrogatepass"))
        channel = channel_of(address)
        kept = origin_of(address) if self._keep and channel == "pstn" else ()
        return "~".join((channel, *kept, mac.hexdigest()[:32]))

    def of_table(self, table: pa.Table) -> pa.Table:
        """Replace parties by pseudonyms in a table of calls or of a breakdown.

        Names and what is written for display are left out, and metadata of the table; other columns
        and the metadata of the fields stay.
        """
        kept = [name for name in table.column_names if name not in _DROPPED]
        table = table.select(kept).replace_schema_metadata()
        for place, name in enumerate(kept):
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
