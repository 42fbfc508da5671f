"""What every column of a breakdown means, said once: the keys that callkit derives, the measures.

The frames are put together from these lists, and their Parquet fields take unit and description
from them. Keys that are columns of the calls themselves are in :data:`callkit.schema.ATTRIBUTES`.
"""

from __future__ import annotations

from callkit.schema import Column, Kind

__all__ = [
    "CHANNELS",
    "COST",
    "DURATION",
    "IN_PROGRESS",
    "KEYS",
    "LEGS",
    "MEASURES",
    "NUMBER_TYPES",
    "ROOTS",
    "TREES",
    "WEEKDAYS",
]

LEGS = ("root", "child")
ROOTS = ("present", "absent", "none")
CHANNELS = ("pstn", "client", "sip", "sim", "trunk", "other")
NUMBER_TYPES = (
    *("mobile", "fixed", "fixed-or-mobile", "toll-free", "premium", "shared-cost", "voip"),
    *("personal", "pager", "universal", "voicemail", "unknown"),
    *("withheld", "client", "sip", "sim", "other", "unparseable", "pseudonym"),
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

KEYS: tuple[Column, ...] = (
    Column(
        "period",
        Kind.INSTANT,
        "When the period began in which the calls started, in the breakdown's time zone; null for "
        "calls that never started.",
    ),
    Column(
        "leg",
        Kind.CATEGORY,
        "Whether another call created this one (child) or none did (root).",
        vocabulary=LEGS,
    ),
    Column(
        "hour",
        Kind.COUNT,
        "The hour of the day in which the calls started, in the breakdown's time zone.",
        "h",
    ),
    Column(
        "weekday",
        Kind.CATEGORY,
        "The day of the week on which the calls started, in the breakdown's time zone.",
        vocabulary=WEEKDAYS,
    ),
    Column(
        "channel",
        Kind.CATEGORY,
        "What carried the call: a SIP trunk, or else the kind of the other party's address.",
        vocabulary=CHANNELS,
    ),
    Column(
        "country",
        Kind.TEXT,
        "The country of the other party's number, in ISO 3166-1 alpha-2; in small letters, or a "
        "calling code, where the address tells none.",
    ),
    Column(
        "number_type",
        Kind.CATEGORY,
        "The type of the other party's number, or what its address is instead.",
        vocabulary=NUMBER_TYPES,
    ),
    Column(
        "our_number",
        Kind.TEXT,
        "The account's side of the call: who was called if inbound, else who called.",
        personal=True,
    ),
    Column(
        "other_party",
        Kind.TEXT,
        "The other side of the call: who called if inbound, else who was called.",
        personal=True,
    ),
    Column(
        "total_over",
        Kind.TEXT,
        "In totals, the keys that they are over, which are null there; null in the rows of groups.",
    ),
)

_CALLS = Column("calls", Kind.COUNT, "How many calls there are, of every status.", "calls")
_PRICED = Column("priced_calls", Kind.COUNT, "How many calls have a price, zero included.", "calls")
_BILLED_MINUTES = Column(
    "billed_minutes",
    Kind.DECIMAL,
    "The durations of priced calls, each rounded up to the billing increment.",
    "min",
)

COST: tuple[Column, ...] = (
    _CALLS,
    _PRICED,
    Column("unpriced_calls", Kind.COUNT, "How many completed calls are not priced yet.", "calls"),
    Column(
        "unpriced_duration",
        Kind.MILLISECONDS,
        "How long the completed calls lasted that are not priced yet.",
        "ms",
    ),
    Column(
        "charges",
        Kind.MONEY,
        "What was charged: the negative prices, made positive; null if no call has a price.",
        "price_unit",
    ),
    Column(
        "credits",
        Kind.MONEY,
        "What was given back: the positive prices; null if no call has a price.",
        "price_unit",
    ),
    Column(
        "cost",
        Kind.MONEY,
        "The connectivity cost, charges less credits; null if no call has a price.",
        "price_unit",
    ),
    _BILLED_MINUTES,
    Column(
        "cost_per_billed_minute",
        Kind.MONEY,
        "Cost divided by billed minutes, rounded half-even; null without billed minutes.",
        "price_unit per min",
    ),
    Column(
        "cost_per_call",
        Kind.MONEY,
        "Cost divided by priced calls, rounded half-even; null if no call has a price.",
        "price_unit per call",
    ),
    Column(
        "largest_call",
        Kind.MONEY,
        "The cost of the dearest call; null if no call has a price.",
        "price_unit",
    ),
)

DURATION: tuple[Column, ...] = (
    _CALLS,
    Column(
        "ended_calls",
        Kind.COUNT,
        "How many calls are completed, busy, failed, no-answer or canceled.",
        "calls",
    ),
    Column(
        "answered_calls",
        Kind.COUNT,
        "How many calls are completed and lasted longer than zero.",
        "calls",
    ),
    Column(
        "answer_seizure_ratio",
        Kind.RATIO,
        "Answered calls divided by ended calls (ASR); null if none has ended.",
        "1",
    ),
    Column(
        "total_duration", Kind.MILLISECONDS, "How long the answered calls lasted together.", "ms"
    ),
    Column(
        "average_duration",
        Kind.MILLISECONDS,
        "How long an answered call lasted on average (ACD), rounded half-even.",
        "ms",
    ),
    Column(
        "median_duration",
        Kind.MILLISECONDS,
        "The duration that half of the answered calls did not exceed, by nearest rank.",
        "ms",
    ),
    Column(
        "p95_duration",
        Kind.MILLISECONDS,
        "The duration that 95 % of the answered calls did not exceed, by nearest rank.",
        "ms",
    ),
    Column(
        "longest_duration", Kind.MILLISECONDS, "How long the longest answered call lasted.", "ms"
    ),
    _PRICED,
    _BILLED_MINUTES,
    Column(
        "rounding_waste",
        Kind.MILLISECONDS,
        "What was billed but not spoken: the priced calls' billed minutes less their durations.",
        "ms",
    ),
    Column(
        "queued_calls",
        Kind.COUNT,
        "How many outbound-api calls have a queue time.",
        "calls",
    ),
    Column(
        "average_queue_time",
        Kind.MILLISECONDS,
        "How long an outbound-api call waited on average to be placed, rounded half-even.",
        "ms",
    ),
    Column(
        "median_queue_time",
        Kind.MILLISECONDS,
        "The wait that half of the outbound-api calls did not exceed, by nearest rank.",
        "ms",
    ),
)

TREES: tuple[Column, ...] = (
    Column("root_sid", Kind.TEXT, "The call that no other created, from which the legs come."),
    Column(
        "root",
        Kind.CATEGORY,
        "Whether the root is in the frame (present), is only named as a parent (absent), or cannot "
        "be told, because the legs name one another as parents in a circle (none).",
        vocabulary=ROOTS,
    ),
    Column("legs", Kind.COUNT, "How many calls of the tree are in the frame.", "calls"),
    Column(
        "answered_legs",
        Kind.COUNT,
        "How many legs are completed and lasted longer than zero.",
        "calls",
    ),
    Column("talk_time", Kind.MILLISECONDS, "How long the answered legs lasted together.", "ms"),
    *(column for column in COST if column.name in {"priced_calls", "unpriced_calls", "cost"}),
    Column("first_start", Kind.INSTANT, "When the first leg started.", "UTC"),
    Column("last_end", Kind.INSTANT, "When the last leg ended; null while one is up.", "UTC"),
)

IN_PROGRESS: tuple[Column, ...] = (
    Column("calls_started", Kind.COUNT, "How many calls started in the period.", "calls"),
    Column("peak_in_progress", Kind.COUNT, "The most calls that were up at once.", "calls"),
    Column(
        "mean_in_progress",
        Kind.DECIMAL,
        "How many calls were up on average over the period, rounded half-even.",
        "calls",
    ),
    Column(
        "peak_starts_per_second",
        Kind.COUNT,
        "The most calls that started in one second of the clock.",
        "calls per s",
    ),
)

MEASURES: tuple[Column, ...] = tuple(dict.fromkeys((*COST, *DURATION, *TREES, *IN_PROGRESS)))
