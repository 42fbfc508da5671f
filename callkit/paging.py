"""Serving a SID list from pages of the list endpoint."""

from datetime import date
from typing import Literal, NamedTuple, TypeAlias

from callkit.call_list import Range

Pages: TypeAlias = Literal["auto"] | bool


class Hints(NamedTuple):
    """Where a user says that the calls are: the UTC days of some, and the range of all."""

    days: dict[str, date]
    range: Range | None


NO_HINTS = Hints({}, None)
