"""Whether the record of a call mentions a party, in any spelling: what erasing goes by.

If in doubt it does, since a call that was erased can be fetched again.
"""

import json
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple
from urllib.parse import unquote

from callkit.addresses import canonical, channel_of

_FEWEST_DIGITS = 7  # fewer would be found in durations and prices
_MOST_DIGITS = 15  # of a number with its country code (E.164)
_LONGEST_RUN = 40  # of digits that are dialled at once, whatever is dialled before a number
_MOST_OUTSIDE = 2  # digits for an outside line
_TIMES_QUOTED = 2  # how often a text may be percent-encoded
# What stands after +CC of some spellings of a number and not of others: a prefix for calls within
# the country, and the mark of a mobile that other countries dial.
_INSERTED = {
    "1": "1",
    "7": "8",
    "36": "06",
    "52": "1",
    "54": "9",
    **dict.fromkeys(["370", "375", "992", "993", "998"], "8"),
}
_SUBSCRIBER = (6, 7, 8)  # digits of a number in Argentina, after those of its area
# Brazil's mobiles were given a 9 after their area, until 2016.
_BRAZIL_NEW, _BRAZIL_OLD = re.compile(r"(..)9(.{8})"), re.compile(r"(..)([6-9].{7})")

_NOT_DIGITS = bytes(set(range(256)) - set(b"0123456789"))
_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4})+|\\[\"\\/bfnrt]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_PLUS = "\uff0b\ufe62\u207a"  # full-width, small and superscript
# Digits that do not belong to a telephone number: SIDs and other hexadecimals, dates and prices.
_OTHER_DIGITS = re.compile(
    r"""[A-Za-z]{2}[0-9a-fA-F]{32}
    |(?<![0-9A-Za-z])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}
    |(?<![0-9A-Za-z])(?=[0-9]*[a-fA-F])[0-9a-fA-F]{24,}(?![0-9A-Za-z])
    |(?<![0-9+(.-])(?<![0-9)][ ])
        (?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9](?![0-9.-]|[ ][0-9]+(?![0-9:]))
        (?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.][0-9]+)?)?)?
    |"price"\s*:\s*"?-?[0-9]+[.][0-9]+""",
    re.VERBOSE,
)
_SEPARATOR = r"[\s()\[\]._/\\-]"
_WRITTEN = re.compile(rf"(\+{_SEPARATOR}*)?([0-9](?:{_SEPARATOR}*[0-9])*)")
_GROUP = re.compile(r"([^0-9]*)([0-9]+)")
_PORT = re.compile(r":[0-9]+$")
_E164 = re.compile(r"\+[0-9]+")
_BEGIN = r"(?<![a-z0-9+])"
_END_OF_HOST = r"(?![\w-]|[.]\w)"
_END_OF_NAME = r"(?!\w|[-.@+]\w)"


class Mentions:
    """Tests whether the body of a call mentions any of these parties, in any spelling.

    A number is searched for by its digits in the whole record. Where the record does not name a
    country with a plus sign, anything may precede the national number, and from seven digits on,
    its end is enough. Other addresses are equal if their canonical spellings are, but for case.
    """

    def __init__(self, parties: Iterable[str]) -> None:
        # What every spelling of a number has, if separators are left out; and the number.
        self._numbers: list[tuple[bytes, _Number]] = []
        self._addresses: list[_Address] = []
        for place, party in enumerate(parties, start=1):
            if channel_of(party) == "pstn":
                for number in _equivalents(_number(party, place)):
                    self._numbers.append((number.ending.encode(), number))
            else:
                self._addresses.append(_address(party))

    def __call__(self, body: bytes) -> bool:
        return any(
            self._has_number(text) or self._has_address(text)
            for text in _readings(body.decode("utf-8", "replace"))
        )

    def _has_number(self, text: str) -> bool:
        if not text.isascii():
            text = _NOT_ASCII.sub(lambda char: _ascii(char[0]), text)
        digits = text.encode("ascii").translate(None, _NOT_DIGITS)
        possible = [number for ending, number in self._numbers if ending in digits]
        if not possible:
            return False
        written = list(_written(_OTHER_DIGITS.sub('"', text)))
        international = [each.digits for each in written if each.is_international]
        return any(number.is_in(each, international) for number in possible for each in written)

    def _has_address(self, text: str) -> bool:
        if not self._addresses:
            return False
        folded = _folded(text)
        return any(
            address.name in folded and address.pattern.search(folded) is not None
            for address in self._addresses
        )


class _Written(NamedTuple):
    """Digits with nothing but separators between them: a number, or several."""

    has_plus: bool
    digits: str
    starts: list[int]  # where a number may begin
    ends: Collection[int]  # and end

    @property
    def is_international(self) -> bool:
        return self.has_plus and len(self.digits) <= _MOST_DIGITS


class _Number(NamedTuple):
    country: str
    national: str

    @property
    def whole(self) -> str:
        return self.country + self.national

    @property
    def ending(self) -> str:
        return self.whole[-_FEWEST_DIGITS:]

    def is_in(self, written: _Written, international: Collection[str]) -> bool:
        if self.ending not in written.digits:
            return False
        ends = (match.end(1) for match in re.finditer(f"(?=({self.ending}))", written.digits))
        return any(self._ends_at(end, written, international) for end in ends)

    def _ends_at(self, end: int, written: _Written, international: Collection[str]) -> bool:
        if end not in written.ends:
            return False
        if written.has_plus and end <= _MOST_DIGITS:
            return self._is_international(written.digits[:end])
        first = max(0, end - _LONGEST_RUN)
        run = written.digits[first:end]
        if self._is_end(run):
            return True
        # The national spelling of another number in the same record is that number's.
        if any(other.endswith(run.lstrip("0")) for other in international):
            return False
        starts = written.starts[bisect_left(written.starts, first) :]
        return self._is_dialled(run) or any(
            self._is_end(written.digits[start:end]) for start in starts if start < end
        )

    def _is_dialled(self, run: str) -> bool:
        """Whether it ends with the national number, whatever precedes that."""
        is_short = len(self.national) < _FEWEST_DIGITS
        return run.endswith(self.whole if is_short else self.national)

    def _is_end(self, run: str) -> bool:
        """Whether it is the end of the number, but for the digits for an outside line."""
        return any(
            len(run) - outside >= _FEWEST_DIGITS
            and not run[:outside].strip("09")
            and self.whole.endswith(run[outside:])
            for outside in range(_MOST_OUTSIDE + 1)
        )

    def _is_international(self, digits: str) -> bool:
        """Whether digits after a plus sign are this number, so not one of another country."""
        outside = digits.removesuffix(self.whole)
        if outside != digits and outside.strip("09") in ("", "11"):  # as of 0, 9, 00 and 011
            return True
        if digits.startswith("0"):  # as does no country
            return self._is_dialled(digits)
        if digits == self.national:
            return not _is_valid(f"+{digits}")
        own = digits.removeprefix(self.country)
        inserted = _INSERTED.get(self.country, "0")
        return own != digits and (
            own.lstrip("0") == self.national.lstrip("0")
            or own in (inserted + self.national, f"{inserted}0{self.national}")
            or inserted + own == self.national
        )


class _Address(NamedTuple):
    name: str
    pattern: re.Pattern[str]


def _ascii(char: str) -> str:
    """Turn a digit or plus sign of any script to that of ASCII, and anything else to space."""
    return "+" if char in _PLUS else str(unicodedata.digit(char, " "))


def _folded(text: str) -> str:
    """Write letters the one way, whatever their case and however accents are put on them."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _readings(text: str) -> Iterator[str]:
    """Give a text without JSON's escapes, and what it is if it is percent-encoded."""
    if "\\" in text:
        text = _ESCAPES.sub(lambda escape: json.loads(f'"{escape[0]}"'), text)
        text = text.encode("utf-8", "replace").decode()  # half a surrogate pair
    yield text
    for _ in range(_TIMES_QUOTED):
        if "%" not in text:
            return
        text = unquote(text)
        yield text


def _written(text: str) -> Iterator[_Written]:
    for plus, groups in _WRITTEN.findall(text):
        if len(groups) < _FEWEST_DIGITS:
            continue
        at = 0
        starts, ends = [], set()
        digits = []
        for separators, group in _GROUP.findall(groups):
            # A slash may stand within a number or between two, and long groups are numbers.
            if not at or "/" in separators or "\\" in separators or len(group) >= _FEWEST_DIGITS:
                starts.append(at)
            at += len(group)
            ends.add(at)
            digits.append(group)
        yield _Written(bool(plus), "".join(digits), starts, ends)


def _number(party: str, place: int) -> _Number:
    """Read a number by Google's plans."""
    import phonenumbers  # noqa: PLC0415  (its numbering plans are loaded on first use)

    written = re.sub(r"^\s*\(?00", "+", party)
    try:
        parsed = phonenumbers.parse(written)
    except phonenumbers.NumberParseException:
        international = re.fullmatch(r"\+[0-9 ().-]+", written.strip())
        digits = re.sub(r"[^0-9]", "", international[0]) if international else ""
        number = _Number("", digits)
    else:
        national = phonenumbers.national_significant_number(parsed)
        number = _Number(str(parsed.country_code), national)
    if len(number.whole) < _FEWEST_DIGITS:
        raise ValueError(
            f"Invalid party {place}: expected a number in international form, such as "
            "+442079460000, or an address such as sip:user@host or client:name"
        )
    return number


def _equivalents(number: _Number) -> Iterator[_Number]:
    """Give a number, and other numbers that reach the same mobile."""
    yield number
    country, national = number
    if country == "54" and national.startswith("9"):  # +54 9 11 2345 6789 is 011 15 2345 6789
        yield _Number(country, national[1:])
        for length in _SUBSCRIBER:
            yield _Number(country, f"{national[1:-length]}15{national[-length:]}")
    if country == "55" and (new := _BRAZIL_NEW.fullmatch(national)):
        yield _Number(country, new[1] + new[2])
    if country == "55" and (old := _BRAZIL_OLD.fullmatch(national)):
        yield _Number(country, f"{old[1]}9{old[2]}")


def _address(party: str) -> _Address:
    """Find what an address always contains, and the pattern of its spellings without escapes."""
    scheme, _, name = _folded(unquote(canonical(party))).partition(":")
    user, _, host = name.rpartition("@")
    if scheme == "sip":
        host = _PORT.sub("", host)
        before = rf"(?<![\w.+~-]){re.escape(user)}(?:[:;][^@\s\"]{{0,100}})?@" if user else "sips?:"
        return _Address(user or host, re.compile(before + re.escape(host) + _END_OF_HOST))
    pattern = re.escape(name)
    if _E164.fullmatch(name):
        pattern = r"[^\w\"]{0,3}".join(name[1:])
        return _Address(scheme, re.compile(rf"{_BEGIN}{scheme}:[+\s]*{pattern}(?![0-9])"))
    return _Address(name, re.compile(rf"{_BEGIN}{re.escape(scheme)}:{pattern}{_END_OF_NAME}"))


def _is_valid(international: str) -> bool:
    import phonenumbers  # noqa: PLC0415

    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(international)))
    except phonenumbers.NumberParseException:
        return False
