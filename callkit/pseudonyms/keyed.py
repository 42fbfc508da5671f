"""Pseudonyms under a key.

A pseudonym reads ``pstn~3f2a…``, or ``pstn~DE~mobile~3f2a…`` where country and type are kept: the
channel, then the first 128 bits of HMAC-SHA256 (RFC 2104) of the address in its canonical form
(:func:`callkit.addresses.canonical`), in hexadecimal digits. Among 10⁹ parties the odds that any
two share one are below 1 in 10²⁰.

There are so few telephone numbers, some 10⁹ to a country, that anyone can hash them all and look a
plain hash up in the list. Here the hash depends on a key as well: without it nobody can make the
list, and a list made under another key is of no use.
"""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Literal, NamedTuple

import pyarrow as pa
from pyarrow import types

from callkit.addresses import Origin, canonical, channel_of, is_withheld, origin_of
from callkit.errors import FrameError
from callkit.measures import CHANNELS, KEYS, NUMBER_TYPES
from callkit.schema import ATTRIBUTES

if TYPE_CHECKING:
    from typing import TypeAlias

    Key: TypeAlias = bytes | str
    Keep: TypeAlias = Literal["country"] | None

__all__ = ["DROPPED", "PARTIES", "Pseudonym", "Pseudonyms", "read_pseudonym"]

DROPPED = ("caller_name", "from_formatted", "to_formatted")
PARTIES: dict[str, pa.Field] = {
    column.name: column.field
    for column in (*ATTRIBUTES, *KEYS)
    if column.personal and column.name not in DROPPED
}

_LEAST_KEY = 16  # bytes, as many as a pseudonym has
_DIGITS = 32
_CHUNK = 2**20  # rows; a chunk of text can hold two gigabytes
_PSEUDONYM = re.compile(
    rf"({'|'.join(CHANNELS)})"
    rf"(?:~([A-Z]{{2}}|\+[0-9]+|international|unparseable)~({'|'.join(NUMBER_TYPES)}))?"
    rf"~[0-9a-f]{{{_DIGITS}}}"
)


class Pseudonym(NamedTuple):
    """What a pseudonym tells of its party."""

    channel: str
    origin: Origin


def read_pseudonym(text: str) -> Pseudonym | None:
    """Read what a pseudonym keeps; None for what is none.

    Examples
    --------
    >>> read_pseudonym("pstn~GB~fixed~0123456789abcdef0123456789abcdef").origin.country
    'GB'
    >>> read_pseudonym("+442079460000")
    """
    match = _PSEUDONYM.fullmatch(text)
    if match is None:
        return None
    channel, country, number_type = match.groups()
    if country is not None:
        return Pseudonym(channel, Origin(country, number_type))
    told = "pseudonym" if channel == "pstn" else channel
    return Pseudonym(channel, Origin(told, told))


class Pseudonyms:
    """The pseudonyms under one key. The key shows in no repr and travels in no pickle.

    Parameters
    ----------
    key : bytes or str
        A secret of at least 16 bytes; a line break at its end is no part of it.
    keep : {"country"}, optional
        Let the pseudonym of a number say its country and number type.

    Raises
    ------
    TypeError, ValueError
        The key is neither bytes nor text, or is too short; `keep` is none.

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
        raise TypeError("pseudonyms cannot be pickled: make them anew, from the key")

    def of(self, address: str) -> str:
        """Make the pseudonym of one address.

        What stands for nobody stays: an address withheld (``+266696687``, ``anonymous``), a blank.
        """
        written = canonical(address)
        if not written or is_withheld(address):
            return written
        mac = self._mac.copy()
        mac.update(written.encode("utf-8", "surrogatepass"))
        channel = channel_of(address)
        kept = origin_of(address) if self._keep and channel == "pstn" else ()
        return "~".join((channel, *kept, mac.hexdigest()[:_DIGITS]))

    def of_table(self, table: pa.Table) -> pa.Table:
        """Put pseudonyms in the place of parties in a table of calls, or of a breakdown.

        Parameters
        ----------
        table : pyarrow.Table
            Columns as :data:`callkit.SCHEMA` and breakdowns name them, and any others.

        Returns
        -------
        pyarrow.Table
            The same rows in the same order: parties as pseudonyms (string), names and what is
            written for display left out, other columns as they were. Metadata of the table is left
            out, that of its fields is not.

        Raises
        ------
        FrameError
            A column of parties is not text.
        """
        columns, fields = [], []
        for field, values in zip(table.schema, table.columns, strict=True):
            if field.name in PARTIES:
                columns.append(self._of_parties(field.name, values))
                fields.append(PARTIES[field.name])
            elif field.name not in DROPPED:
                columns.append(values)
                fields.append(field)
        return pa.Table.from_arrays(columns, schema=pa.schema(fields))

    def _of_parties(self, name: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
        if values.null_count == len(values):
            return pa.chunked_array([pa.nulls(len(values), pa.string())])
        _check_text(name, values.type)
        slices = [
            chunk.slice(start, _CHUNK).cast(pa.string())
            for chunk in values.chunks
            for start in range(0, len(chunk), _CHUNK)
        ]
        coded = pa.chunked_array(slices).dictionary_encode()  # all chunks share one dictionary
        distinct = coded.chunk(0).dictionary.to_pylist()
        made = pa.array([self.of(address) for address in distinct], pa.large_string())
        taken = [made.take(chunk.indices).cast(pa.string()) for chunk in coded.chunks]
        return pa.chunked_array(taken)


def _fault_of(secret: object, keep: object) -> TypeError | ValueError | None:
    if not isinstance(secret, bytes):
        return TypeError(f"the key should be bytes or text, not {type(secret).__name__}")
    length = len(secret.strip())
    if length < _LEAST_KEY:
        return ValueError(
            f"the key has {length} bytes: it should have at least {_LEAST_KEY}, such as "
            "secrets.token_hex(32) makes"
        )
    if keep not in (None, "country"):
        return ValueError(f"keep must be 'country' or None, not {keep!r}")
    return None


def _check_text(name: str, kind: pa.DataType) -> None:
    plain = kind.value_type if types.is_dictionary(kind) else kind
    if not (types.is_string(plain) or types.is_large_string(plain) or types.is_string_view(plain)):
        raise FrameError(f"column {name!r} is {kind}: parties are text, such as '+442079460000'")
