"""A date range of calls: what is asked of the list endpoint, and which of its rows are wanted."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple, TypeAlias, TypeGuard
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from callkit.addresses import canonical, channel_of
from callkit.errors import CallListError
from callkit.schema import ENDED_STATUSES, LIVE_STATUSES
from callkit.sids import canonical_account_sid, canonical_call_sid, is_account_sid

Moment: TypeAlias = str | date
Started: TypeAlias = str | Sequence[Moment]

_BACK = re.compile(r"-([1-9][0-9]{0,3})([dwm])")
_A_PAIR = 2
_SHOWN_AT_MOST = 100
_LONGEST = timedelta(days=3_653)
_LAST_MIDNIGHT = datetime(MAXYEAR, 12, 31, tzinfo=UTC)  # there is no day after it to ask for
_NATIONAL = re.compile(r"[0-9 ().-]{7,}")
_STATUSES = (*LIVE_STATUSES, *ENDED_STATUSES)
_EXPECTED = (
    "expected a pair of dates or datetimes, such as ('2025-03-01', '2025-04-01'), or 'today', "
    "'yesterday', '-3d', '-2w' or '-1m'"
)


class Range(NamedTuple):
    """A half-open range of instants in UTC."""

    start: datetime
    end: datetime

    def days(self) -> list[date]:
        """List the UTC days that overlap it."""
        first, last = self.start.date(), (self.end - timedelta.resolution).date()
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]

    def of(self, calls: pa.Table) -> pa.Table:
        """Return the calls that started within it."""
        kind = calls.schema.field("start_time").type
        start, end = (pa.scalar(moment, kind) for moment in self)
        after_start = pc.greater_equal(calls["start_time"], start)
        return calls.filter(pc.and_(after_start, pc.less(calls["start_time"], end)))


@dataclass(frozen=True, kw_only=True)
class CallList:
    """The calls that started within a range of time, to be passed instead of a SID list.

    They are listed a thousand at a time: one query for each UTC day that overlaps the range. Calls
    that never started (cancelled in the queue) are in no range; fetch those by SID.

    Parameters
    ----------
    started : pair of dates or datetimes, or str
        The range, half-open: from the first, up to but not including the second. Each is a date
        (its midnight in `tz`), a datetime, or either in ISO 8601 as text; a datetime without a
        zone is in `tz`. Or days counted back from the server's date: ``"today"``,
        ``"yesterday"``, ``"-3d"``, ``"-2w"`` (the three days, the 14 days before today)
        or ``"-1m"`` (the month before this one).
    tz : str, default "UTC"
        The IANA time zone of dates and of datetimes without a zone. Twilio bills by UTC.
    status : str, optional
        Only calls with this status, such as ``"completed"``.
    to, from_ : str, optional
        Only calls to, or from, this number in international form or address.
    parent_call_sid : str, optional
        Only the legs that this call dialled.
    account_sid : str or sequence of str, optional
        The accounts whose calls are listed, in this order; by default the client's. ``"all"`` is
        the client's account and all its subaccounts, the closed ones included.

    Raises
    ------
    CallListError
        A parameter is invalid; it says what was expected.

    Examples
    --------
    >>> march = callkit.CallList(started=("2025-03-01", "2025-04-01"), tz="Europe/Berlin")
    >>> sandbox = callkit.sandbox.Sandbox(calls=1_000)
    >>> df = callkit.to_frame(march, client=sandbox.client())
    >>> df["start_time"].dt.tz_convert("Europe/Berlin").dt.month.unique().tolist()
    [3]
    """

    started: Started
    tz: str = "UTC"
    status: str | None = None
    to: str | None = field(default=None, repr=False)  # personal data
    from_: str | None = field(default=None, repr=False)
    parent_call_sid: str | None = None
    account_sid: str | Sequence[str] | None = None

    def __post_init__(self) -> None:
        zone_named(self.tz)
        if not is_text(self.started):
            self.between()
        elif self.started not in ("today", "yesterday") and not _BACK.fullmatch(self.started):
            raise _invalid_started(self.started)
        else:
            self.between(datetime.now(UTC))
        if self.status is not None and not (is_text(self.status) and self.status in _STATUSES):
            raise CallListError(
                f"Invalid status {_shown(self.status)}: expected {', '.join(map(repr, _STATUSES))}"
            )
        _check_party("to", self.to)
        _check_party("from_", self.from_)
        if self.parent_call_sid is not None and canonical_call_sid(self.parent_call_sid) is None:
            raise CallListError(
                f"Invalid parent_call_sid {_shown(self.parent_call_sid)}: expected 'CA' followed "
                "by 32 hexadecimal digits"
            )
        _check_accounts(self.account_sid)

    @property
    def accounts(self) -> tuple[str, ...] | None:
        """The accounts named, each once; None if they are the client's own, or all."""
        if self.account_sid is None or self.account_sid == "all":
            return None
        named = [self.account_sid] if is_text(self.account_sid) else self.account_sid
        return tuple(dict.fromkeys(map(canonical_account_sid, named)))

    @property
    def is_relative(self) -> bool:
        return is_text(self.started)

    def between(self, now: datetime | None = None) -> Range:
        """Return the range; a relative one is counted back from `now`."""
        zone = zone_named(self.tz)
        if is_text(self.started):
            assert now is not None  # noqa: S101  (callers check is_relative)
            try:
                days = _counted_back(self.started, now.astimezone(zone).date())
                found = Range(*(_midnight(day, zone) for day in days))
            except (ValueError, OverflowError):  # before the first year, or after the last
                raise _invalid_started(self.started) from None
            return _checked(found, self.started, _EXPECTED)
        return range_between(self.started, zone)

    def filters(self) -> list[tuple[str, str]]:
        """Return the filters beside the date, as the API names them."""
        parties = [("To", self.to), ("From", self.from_)]
        named = [
            ("Status", self.status),
            *((name, party and _as_sent(party)) for name, party in parties),
            ("ParentCallSid", canonical_call_sid(self.parent_call_sid)),
        ]
        return [(name, value) for name, value in named if value is not None]

    def matching(self, calls: pa.Table) -> pa.Array:
        """Say for each call whether the filters hold, since a server may have ignored them."""
        holds = pa.array([True] * len(calls), pa.bool_())
        for column, value in self.filters():
            values = calls[_COLUMNS[column]].cast(pa.string()).combine_chunks()
            same = pc.fill_null(pc.equal(values, value), False)
            if column in ("To", "From") and same.false_count:
                same = pa.array([_same_address(each, value) for each in values.to_pylist()])
            holds = pc.and_(holds, same)
        return holds


_COLUMNS = {"Status": "status", "To": "to", "From": "from", "ParentCallSid": "parent_call_sid"}


def range_between(started: object, zone: tzinfo, expected: str = _EXPECTED) -> Range:
    """Return the range that a pair of dates or datetimes describes, and nothing else does."""
    if not (isinstance(started, tuple | list) and len(started) == _A_PAIR):
        raise _invalid_started(started, expected)
    start, end = (_instant(moment, zone, expected) for moment in started)
    if start >= end:
        raise CallListError(
            f"Invalid started {_shown(started)}: the second must be later than the first, and is "
            "not included: the day 1 March is ('2025-03-01', '2025-03-02')"
        )
    return _checked(Range(start, end), started, expected)


def _checked(found: Range, started: object, expected: str) -> Range:
    if found.end > _LAST_MIDNIGHT:
        raise _invalid_started(started, expected)
    if found.end - found.start > _LONGEST:
        raise CallListError(
            f"Invalid started {_shown(started)}: the range is longer than ten years; the list "
            "reaches back 13 months"
        )
    return found


def is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str)


def zone_named(tz: str) -> ZoneInfo:
    try:
        return ZoneInfo(tz)
    except (ValueError, OSError, TypeError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise CallListError(
            f"Unknown time zone {_shown(tz)}: expected an IANA name such as 'UTC' or "
            "'Europe/Berlin'"
        ) from None


def _counted_back(started: str, today: date) -> tuple[date, date]:
    if started == "today":
        return today, today + timedelta(days=1)
    if started == "yesterday":
        return today - timedelta(days=1), today
    match = _BACK.fullmatch(started)
    assert match is not None  # noqa: S101  (checked when the list was made)
    count = int(match[1])
    if match[2] == "m":
        months = 12 * today.year + today.month - 1 - count
        return date(months // 12, months % 12 + 1, 1), today.replace(day=1)
    return today - timedelta(days=count * (7 if match[2] == "w" else 1)), today


def _check_party(name: str, party: object) -> None:
    """Check what is to be sent; the message does not show it, since it is personal data."""
    if party is not None and not (is_text(party) and party.strip() and party.isprintable()):
        raise CallListError(f"Invalid {name}: expected a number or an address as text")
    if is_text(party) and _NATIONAL.fullmatch(party):
        raise CallListError(
            f"Invalid {name}: expected a number in international form, such as +442079460000"
        )


def _check_accounts(accounts: object) -> None:
    if accounts is None or (is_text(accounts) and accounts == "all"):
        return
    named = accounts if isinstance(accounts, tuple | list) else [accounts]
    for account in named:
        if not is_account_sid(account):
            raise CallListError(
                f"Invalid account_sid {_shown(account)}: expected 'AC' followed by 32 hexadecimal "
                "digits, a list of such, or 'all'"
            )
    if not named:
        raise CallListError("Invalid account_sid: the list is empty; expected at least one")


def _invalid_started(given: object, expected: str = _EXPECTED) -> CallListError:
    return CallListError(f"Invalid started {_shown(given)}: {expected}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_AT_MOST else f"{text[: _SHOWN_AT_MOST - 3]}..."


def _instant(moment: object, zone: tzinfo, expected: str) -> datetime:
    try:
        if is_text(moment):
            return _in_utc(datetime.fromisoformat(moment.strip()), zone)
        if isinstance(moment, pd.Timestamp):
            return _in_utc(moment.to_pydatetime(warn=False), zone)
        if isinstance(moment, datetime):
            return _in_utc(moment, zone)
        if isinstance(moment, date):
            return _midnight(moment, zone)
    except (ValueError, OverflowError):  # NaT, or too near the first or the last year
        pass
    raise _invalid_started(moment, expected)


def _in_utc(moment: datetime, zone: tzinfo) -> datetime:
    local = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    return local.astimezone(UTC)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _as_sent(party: str) -> str:
    """Write a number as the API does, in E.164; other addresses as they are."""
    return canonical(party) if channel_of(party) == "pstn" else party.strip()


def _same_address(found: str | None, asked: str) -> bool:
    return found is not None and canonical(found).casefold() == canonical(asked).casefold()
