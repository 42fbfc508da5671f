"""From a leg to the record that the API keeps of it: price, names, related SIDs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from callkit.sandbox.calls import Call
from callkit.sandbox.countries import COUNTRIES
from callkit.sandbox.parties import WITHHELD, caller_name, telephone
from callkit.sandbox.rhythm import AS_OF

if TYPE_CHECKING:
    from decimal import Decimal

    from callkit.sandbox.accounts import Account
    from callkit.sandbox.draws import Draws
    from callkit.sandbox.legs import Leg

__all__ = ["record_of"]

_API_VERSION = "2010-04-01"
_NAMED_SHARE = 0.4
_FORWARDED_SHARE = 0.07
_GROUPED_SHARE = 0.02
_FREE_SHARE = 0.012
_CREDITED_SHARE = 0.008
# How likely a completed call is not priced yet, by how long ago it ended.
_UNPRICED = ((timedelta(days=1), 0.6), (timedelta(days=3), 0.12), (timedelta.max, 0.001))
_OLD_RESOURCES = ("notifications", "recordings")
_RESOURCES = (*_OLD_RESOURCES, "events", "payments", "siprec", "streams", "transcriptions")
_NEW_RESOURCES_SINCE = datetime(2025, 2, 12, tzinfo=UTC)


def record_of(
    leg: Leg, *, sid: str, parent_sid: str | None, account: Account, draws: Draws
) -> Call:
    """Write the record of `leg` under `sid`."""
    course = leg.course
    uri = f"/{_API_VERSION}/Accounts/{account.sid}/Calls/{sid}"
    is_inbound = leg.direction == "inbound"
    return Call(
        account_sid=account.sid,
        answered_by=leg.answered_by,
        api_version=_API_VERSION,
        caller_name=_name(leg, draws) if is_inbound else None,
        date_created=course.created,
        date_updated=course.updated,
        direction=leg.direction,
        duration=course.duration,
        end_time=course.end,
        forwarded_from=_forwarder(account, draws) if is_inbound else None,
        from_=leg.caller.address,
        from_formatted=leg.caller.display,
        group_sid=f"GP{draws.hexadecimal(32)}" if draws.chance(_GROUPED_SHARE) else None,
        parent_call_sid=parent_sid,
        phone_number_sid=leg.phone_number_sid,
        price=_price(leg, account, draws),
        price_unit=account.currency,
        queue_time=course.queued * 1000,
        sid=sid,
        start_time=course.start,
        status=course.status,
        subresource_uris=_subresources(course.created, uri),
        to=leg.callee.address,
        to_formatted=leg.callee.display,
        trunk_sid=draws.one_of(account.trunks) if leg.direction.startswith("trunking") else None,
        uri=f"{uri}.json",
    )


def _price(leg: Leg, account: Account, draws: Draws) -> Decimal | None:
    course = leg.course
    if course.status != "completed" or course.end is None or course.duration is None:
        return None
    age = AS_OF - course.end
    if draws.chance(next(share for until, share in _UNPRICED if age < until)):
        return None
    tariff = leg.callee.tariff
    rate = account.rate(tariff.inbound if leg.is_incoming else tariff.outbound)
    billed_minutes = -(-course.duration // 60)
    share = draws.share()
    if share < _FREE_SHARE:
        return rate * 0
    if share < _FREE_SHARE + _CREDITED_SHARE:
        return rate * billed_minutes
    return -rate * billed_minutes


def _name(leg: Leg, draws: Draws) -> str | None:
    if leg.caller.address in WITHHELD or not draws.chance(_NAMED_SHARE):
        return None
    return caller_name(draws)


def _forwarder(account: Account, draws: Draws) -> str | None:
    if not draws.chance(_FORWARDED_SHARE):
        return None
    return telephone(draws, COUNTRIES[draws.from_mix(account.reach)]).address


def _subresources(created: datetime, uri: str) -> dict[str, str]:
    names = _RESOURCES if created >= _NEW_RESOURCES_SINCE else _OLD_RESOURCES
    return {name: f"{uri}/{name.capitalize()}.json" for name in names}
