"""Text of servers, files and people, made safe to show."""

import unicodedata

_JOINERS = "\u200c\u200d"  # Persian, Indic scripts and emoji need them


def printable(text: str) -> str:
    r"""Escape what a terminal obeys, or what hides other text: controls, line breaks, direction.

    Letters and spaces of every script stay.

    Examples
    --------
    >>> print(printable("Zoë \x1b[2J\n\u202e"))
    Zoë \x1b[2J\n\u202e
    """
    if text.isprintable():
        return text
    return "".join(character if _is_shown(character) else _escaped(character) for character in text)


def printable_lines(text: str) -> str:
    """Do the same, but keep line feeds: for text that callkit has laid out in lines."""
    return "\n".join(map(printable, text.split("\n")))


def _is_shown(character: str) -> bool:
    is_space = unicodedata.category(character) == "Zs"
    return character.isprintable() or is_space or character in _JOINERS


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
