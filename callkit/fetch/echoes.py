"""Whether a text repeats a secret: as it is, or in a form that servers and proxies give text."""

import base64
import html
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator

_FRAGMENT = 16  # characters in a row that give a secret away; fewer may occur by chance
_SHORTEST = 6  # characters of a secret that is sought as a whole
_LAYERS = 4  # of escapes within escapes
_ESCAPE = re.compile(
    r"(?:\\+u|%u)([0-9a-fA-F]{4})|\\+[ux]\{0*([0-9a-fA-F]{1,6})\}|\\+U00([0-9a-fA-F]{6})"
    r"|(?:\\+x|0x|%|=)([0-9a-fA-F]{2})"
)
_OCTAL = re.compile(r"\\+([0-3][0-7]{2})")
_BLANK = re.compile(r"\\+[abfnrtv]")  # a line break, say, as JSON or Python writes it


def echoes_of(secret: str) -> Callable[[str], bool]:
    """Make a function that says whether a text repeats `secret`, or so much of it that it counts.

    Case, blanks and punctuation are passed over, and escapes are resolved.

    >>> repeats = echoes_of("hunter2-hunter2")
    >>> repeats("the password is HUNTER2%2Dhunter2"), repeats("the password is another")
    (True, False)
    """
    forms = {form for each in _forms(secret) if len(form := _squeezed(each)) >= _SHORTEST}
    short = {form for form in forms if len(form) < _FRAGMENT}
    fragments = {fragment for form in forms - short for fragment in _fragments(form)}

    def repeats(text: str) -> bool:
        if len(secret) >= _SHORTEST and secret in text:
            return True
        return any(
            not fragments.isdisjoint(_fragments(seen)) or any(form in seen for form in short)
            for seen in map(_squeezed, _resolved(text))
        )

    return repeats


def _forms(secret: str) -> Iterator[str]:
    """List the forms of a secret that are not escapes: hex, and base64 and base32 after others."""
    octets = secret.encode(errors="surrogatepass")
    yield secret
    yield octets.decode("latin-1")
    yield octets.hex()
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + octets).decode()
        yield encoded[-(-8 * before // 6) : 8 * (before + len(octets)) // 6]
    for before in range(5):
        encoded = base64.b32encode(bytes(before) + octets).decode()
        yield encoded[-(-8 * before // 5) : 8 * (before + len(octets)) // 5]


def _fragments(text: str) -> Iterator[str]:
    return (text[at : at + _FRAGMENT] for at in range(len(text) - _FRAGMENT + 1))


def _squeezed(text: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


def _resolved(text: str) -> Iterator[str]:
    """Give a text as it is, and with its escapes resolved: of JSON, URLs, mail, HTML and Python."""
    for _ in range(_LAYERS):
        yield text
        resolved = html.unescape(_BLANK.sub(" ", _OCTAL.sub(_octet, _ESCAPE.sub(_letter, text))))
        if resolved == text:
            return
        text = resolved


def _letter(escape: re.Match[str]) -> str:
    code = int(escape[escape.lastindex or 0], 16)
    return chr(code) if code <= sys.maxunicode else ""


def _octet(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 8))
