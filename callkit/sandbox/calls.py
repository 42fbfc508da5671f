"""The synthetic calls: what one is, the body that is served, and how all are made of a seed.

Each account owns a range of indices. Within it, calls are in the order of their start, so that
those of a date can be found by bisection, and a dialled leg follows its parent.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b

import msgspec

from callkit.sandbox.accounts import Account, fake, forwarder, make_accounts, name_of
from callkit.sandbox.draws import AS_OF, Draws, Mix, Permutation
from callkit.sandbox.legs import Leg, dialled_leg, parent_leg, single_leg
from callkit.sids import canonical_call_sid

Value = str | int | datetime | Decimal | dict[str, str] | None

# Which absent attributes a body shows as "" rather than null: live bodies mix the two.
_SHOWN_EMPTY = (
    frozenset[str](),
    frozenset({"caller_name", "trunk_sid"}),
    frozenset({"answered_by", "caller_name", "forwarded_from", "group_sid"})
    | {"parent_call_sid", "phone_number_sid", "trunk_sid"},
)
# Calls are made in pairs: this share is a call and its dialled leg, the rest two calls.
_FAMILIES = 0.32
# The sign of a price: a few calls are free, or credited.
_SIGNS = Mix({0: 0.012, 1: 0.008, -1: 0.98})
_OLD_RESOURCES = ("notifications", "recordings")
_RESOURCES = (*_OLD_RESOURCES, "events", "payments", "siprec", "streams", "transcriptions")
_NEW_RESOURCES_SINCE = datetime(2025, 2, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Call:
    """A call: the attributes of Twilio's reference, typed.

    A missing value is ``None``, whether the body has ``null`` or ``""``. ``duration`` is in
    seconds, ``queue_time`` in milliseconds, ``price`` in ``price_unit``; ``from`` is called
    ``from_``.
    """

    account_sid: str
    answered_by: str | None
    api_version: str
    caller_name: str | None
    date_created: datetime
    date_updated: datetime
    direction: str
    duration: int | None
    end_time: datetime | None
    forwarded_from: str | None
    from_: str
    from_formatted: str
    group_sid: str | None
    parent_call_sid: str | None
    phone_number_sid: str | None
    price: Decimal | None
    price_unit: str
    queue_time: int
    sid: str
    start_time: datetime | None
    status: str
    subresource_uris: dict[str, str]
    to: str
    to_formatted: str
    trunk_sid: str | None
    uri: str

    def attributes(self) -> dict[str, Value]:
        """Give the attributes under the API's names, in the reference's order."""
        return {name.rstrip("_"): getattr(self, name) for name in self.__slots__}


def body_of(call: Call) -> bytes:
    """Write the body that the endpoint serves: a JSON object in which all but one value is text."""
    empty = _SHOWN_EMPTY[int(call.sid[-2:], 16) % len(_SHOWN_EMPTY)]
    body = {name: _written(name, value, empty) for name, value in call.attributes().items()}
    # The live API sends the annotation, which its reference does not list.
    return msgspec.json.encode(body | {"annotation": None})


def _written(name: str, value: Value, empty: frozenset[str]) -> str | dict[str, str] | None:
    match value:
        case None:
            return "" if name in empty else None
        case datetime():
            # As email.utils.format_datetime, but faster; ctime is English in every locale.
            text = value.ctime()
            return f"{text[:3]}, {value.day:02d} {text[4:7]} {value.year} {text[11:19]} +0000"
        case Decimal():
            return format(value, "f")
        case int():
            return str(value)
        case _:
            return value


class CallGenerator:
    """All calls of a seed, with indices from 0 to below `calls`, each made when it is requested."""

    def __init__(self, *, calls: int, seed: int) -> None:
        self.calls = calls
        self._key = blake2b(str(seed).encode(), person=b"callkit sandbox", digest_size=32).digest()
        self._permutation = Permutation(self._key)
        self.parent, self.subaccount = make_accounts(self._key)
        draws = Draws(self._key, b"credentials")
        self.auth_token = fake(draws)
        self.api_key = f"SK{fake(draws)}"
        self.api_secret = fake(draws)
        self.restricted_api_key = f"SK{fake(draws)}"
        self.restricted_api_secret = fake(draws)
        self.closed_sid = f"AC{fake(Draws(self._key, b'closed subaccount'))}"
        self.of_parent = range(calls - calls // 5)
        self.of_subaccount = range(len(self.of_parent), calls)
        self.of_accounts = {
            self.parent.sid: self.of_parent,
            self.subaccount.sid: self.of_subaccount,
            self.closed_sid: range(0),
        }

    def sid_of(self, index: int) -> str:
        """Return the SID of `index`, whether or not such a call exists."""
        return f"CA{self._permutation.image(index):032x}"

    def index_of(self, sid: str) -> int | None:
        """Return the index of the call `sid`, or None if it is malformed or unknown."""
        canonical = canonical_call_sid(sid)
        if canonical is None:
            return None
        index = self._permutation.origin(int.from_bytes(bytes.fromhex(canonical[2:])))
        return index if index < self.calls else None

    def account_of(self, index: int) -> Account:
        return self.parent if index in self.of_parent else self.subaccount

    def start_of(self, index: int) -> datetime:
        """Return when the call starts, or was to start: never before the call one index earlier."""
        return self._leg(index)[0].course.start

    def call(self, index: int, now: datetime = AS_OF) -> Call:
        """Make the call as it is at `now`; one that is created later, as it will be then."""
        leg, parent, draws = self._leg(index)
        account, sid, stage = self.account_of(index), self.sid_of(index), leg.course.at(now)
        created, is_inbound = leg.course.created, leg.direction == "inbound"
        uri = f"/2010-04-01/Accounts/{account.sid}/Calls/{sid}"
        resources = _RESOURCES if created >= _NEW_RESOURCES_SINCE else _OLD_RESOURCES
        trunk = draws.one_of(account.trunks) if leg.direction.startswith("trunking") else None
        group = f"GP{draws.hexadecimal(32)}" if draws.chance(0.02) else None
        return Call(
            account_sid=account.sid,
            answered_by=leg.answerer if stage.status in ("in-progress", "completed") else None,
            api_version="2010-04-01",
            caller_name=name_of(draws, leg.caller) if is_inbound else None,
            date_created=created,
            date_updated=stage.updated,
            direction=leg.direction,
            duration=stage.duration,
            end_time=stage.end,
            forwarded_from=forwarder(draws, account.reach) if is_inbound else None,
            from_=leg.caller.address,
            from_formatted=leg.caller.display,
            group_sid=group,
            parent_call_sid=None if parent is None else self.sid_of(parent),
            phone_number_sid=leg.caller.phone_number_sid or leg.callee.phone_number_sid,
            price=_price(leg, account, draws) if stage.is_priced else None,
            price_unit=account.currency,
            queue_time=leg.course.queued * 1000,
            sid=sid,
            start_time=stage.start,
            status=stage.status,
            subresource_uris={name: f"{uri}/{name.capitalize()}.json" for name in resources},
            to=leg.callee.address,
            to_formatted=leg.callee.display,
            trunk_sid=trunk,
            uri=f"{uri}.json",
        )

    def spread(self, n: int, indices: range) -> list[int]:
        """Choose `n` of `indices`, in their order: one pair of calls from each equal stretch.

        Pairs keep dialled legs with their parents; which pair of a stretch is chosen, is drawn.
        """
        pairs = -(-len(indices) // 2)
        stretches = min(pairs, n // 2 + 1)  # one more than needed, since the last may be half one
        draws = Draws(self._key, b"spread")
        chosen: list[int] = []
        for stretch in range(stretches):
            first, after = (pairs * edge // stretches for edge in (stretch, stretch + 1))
            pair = draws.between(first, after - 1)
            chosen += indices[2 * pair : 2 * pair + 2]
        return chosen[len(chosen) - n :]

    def _leg(self, index: int) -> tuple[Leg, int | None, Draws]:
        """Make the leg of `index`; beside it its parent's index, and what else to draw from."""
        indices = self.of_parent if index in self.of_parent else self.of_subaccount
        account, position = self.account_of(index), index - indices.start

        def moment(place: float) -> datetime:
            return account.rhythm.moment(place / len(indices))

        first = position - position % 2
        draws = self._draws(indices[first])
        start = moment(first + draws.share())
        may_dial = draws.chance(_FAMILIES) and first + 2 < len(indices)
        dials = may_dial and moment(first + 2) <= AS_OF
        if position == first:
            return (parent_leg if dials else single_leg)(draws, account, start), None, draws
        own_draws = self._draws(index)
        own_start = moment(position + own_draws.share())
        if not dials:
            return single_leg(own_draws, account, own_start), None, own_draws
        parent = parent_leg(draws, account, start)
        leg = dialled_leg(own_draws, account, parent, latest=moment(position + 1))
        return leg, index - 1, own_draws

    def _draws(self, index: int) -> Draws:
        return Draws(self._key, b"call" + index.to_bytes(16, "big"))


def _price(leg: Leg, account: Account, draws: Draws) -> Decimal:
    dollars = leg.callee.rate_from if leg.is_incoming else leg.callee.rate_to
    rate = (dollars * account.dollar).quantize(dollars)
    billed_minutes = -(-leg.course.lasts // 60)
    return rate * billed_minutes * draws.from_mix(_SIGNS)
