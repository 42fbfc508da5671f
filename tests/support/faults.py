"""Which faults there are, and how often a sandbox is to make them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

__all__ = [
    "BURSTS",
    "HARMLESS",
    "HOSTILE",
    "KINDS",
    "LASTING",
    "Drawn",
    "Faults",
    "Hostile",
    "Kind",
    "Outage",
    "OutageKind",
    "check_kind",
]

Drawn: TypeAlias = Literal[
    "401",
    "429",
    "429_retry_after",
    "500",
    "502",
    "503",
    "close",
    "cut",
    "gzip",
    "html",
    "invalid_json",
    "other_call",
    "redirect",
    "reset",
    "reset_in_body",
    "stall",
]
Hostile: TypeAlias = Literal[
    "drip",
    "endless_body",
    "endless_headers",
    "gzip_bomb",
    "huge_body",
    "redirect_loop",
]
Kind: TypeAlias = Drawn | Hostile
OutageKind: TypeAlias = Literal["503", "close", "reset"]

KINDS: Final[tuple[Drawn, ...]] = get_args(Drawn)
"""What may be drawn by share."""
HOSTILE: Final[tuple[Hostile, ...]] = get_args(Hostile)
"""What comes only to a SID that it was asked for."""
BURSTS: Final[frozenset[Kind]] = frozenset({"429", "429_retry_after"})
"""Refusals that, once drawn, meet everybody for a moment."""
HARMLESS: Final[frozenset[Kind]] = frozenset({"gzip"})
"""The call itself, whole, in another form."""
LASTING: Final[frozenset[Kind]] = frozenset(KINDS) - BURSTS - HARMLESS - {"401"}
"""What a call may meet for ever without ending, or never ending, a whole run."""


class Outage(NamedTuple):
    """A planned outage: it begins with the request of this number, counted from 1.

    All requests are refused meanwhile: by a 503, or by a connection closed or reset without an
    answer.
    """

    after: int
    seconds: float
    kind: OutageKind = "503"


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What share of requests meets which fault.

    Whether a request meets a fault depends on the seed, its SID and how many draws that SID has
    had, and so not on the order in which a client asks. Only requests that would be answered
    otherwise are drawn: not those refused for their sign-in, by the limit, in an outage, or in
    what is left of a burst.

    Parameters
    ----------
    share : float, default 0.0
        Of the requests that are drawn.
    seed : int, default 0
        Another seed, other faults.
    kinds : iterable of str or mapping of str to float, default all
        The kinds to draw from, each as likely as the next, or each with its weight:

        - ``429`` and ``429_retry_after``: "Too Many Requests" without and with ``Retry-After``,
          for everybody for as long as `burst`;
        - ``500`` and ``503`` with an error body of Twilio's form, ``502`` with a proxy's page;
        - ``401``: the sign-in is refused, once for a SID and never again;
        - ``close`` and ``reset``: the connection ends without an answer, by FIN and by RST;
        - ``reset_in_body``, ``cut`` and ``stall``: half the body under the whole one's
          ``Content-Length``, then RST, FIN, or silence until the client leaves;
        - ``html``, ``invalid_json`` and ``other_call``: a 200 that is no call, or another one;
        - ``redirect``: a 302 to another host;
        - ``gzip``: the right answer, compressed, if the client accepts that.
    lasting : float, default 0.0
        The share of SIDs that always meet the same fault, one of `kinds` but no 401, no 429.
    in_a_row : int, default 3
        The most faults that a SID meets without a whole answer between, a 429 not counted. Those
        of `lasting` are exempt.
    burst : float, default 0.05
        Seconds for which a 429 that was drawn meets every request.
    retry_after : int, default 1
        Seconds that ``429_retry_after`` advises.
    redirect_to : str, optional
        Where ``redirect`` leads; by default to the sandbox under another host name, where
        :attr:`tests.support.sandbox.FaultySandbox.strayed` counts who comes.
    outage : Outage, optional
        A planned outage.

    Raises
    ------
    ValueError
        A share is none, or a kind is unknown.

    Examples
    --------
    >>> Faults(share=0.1, kinds=("500", "teapot"))
    Traceback (most recent call last):
        ...
    ValueError: 'teapot' is no kind of fault here: those are 401, 429, 429_retry_after, 500, 502, \
503, close, cut, gzip, html, invalid_json, other_call, redirect, reset, reset_in_body, stall
    """

    share: float = 0.0
    seed: int = 0
    kinds: Iterable[Drawn] | Mapping[Drawn, float] = KINDS
    lasting: float = 0.0
    in_a_row: int = 3
    burst: float = 0.05
    retry_after: int = 1
    redirect_to: str | None = None
    outage: Outage | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", _weights(self.kinds))
        for name in ("share", "lasting"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}, and should be from 0 to 1")
        for name in ("in_a_row", "burst", "retry_after"):
            value = getattr(self, name)
            if not value >= 0:
                raise ValueError(f"Invalid {name} {value}: expected at least 0")
        if self.outage is not None and self.outage.after < 1:
            raise ValueError(
                f"the outage begins with request {self.outage.after}, and should with 1 or later"
            )
        self._check_kinds()

    @property
    def weights(self) -> Mapping[Drawn, float]:
        """How often each kind comes; the weights need not add up to anything."""
        return _weights(self.kinds)

    def _check_kinds(self) -> None:
        for kind, weight in self.weights.items():
            check_kind(kind, KINDS)
            if not weight > 0:
                raise ValueError(f"the weight of {kind} is {weight}, and should be more than 0")
        if self.share and not self.weights:
            raise ValueError("kinds is empty, and a share needs at least one")
        if self.lasting and not LASTING & self.weights.keys():
            raise ValueError(f"none of the kinds can last: those are {', '.join(sorted(LASTING))}")


def check_kind(kind: str, known: Iterable[str]) -> None:
    """Refuse a `kind` that is not among the `known` ones."""
    if kind not in set(known):
        raise ValueError(f"{kind!r} is no kind of fault here: those are {', '.join(sorted(known))}")


def _weights(kinds: Iterable[Drawn] | Mapping[Drawn, float]) -> Mapping[Drawn, float]:
    return dict(kinds) if isinstance(kinds, Mapping) else dict.fromkeys(kinds, 1.0)
