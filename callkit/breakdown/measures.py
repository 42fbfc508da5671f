"""What every column of a breakdown means, stated once: the keys that callkit derives, the measures.

Parquet fields and the documentation take units and descriptions from these lists. Keys that are
columns of the calls themselves are in :data:`callkit.schema.ATTRIBUTES`.
"""

from callkit.addresses import CHANNELS, NUMBER_TYPES
from callkit.schema import Column, Kind

LEGS = ("root", "child")
ROOTS = ("present", "absent", "none")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _key(name: str, description: str, *vocabulary: str) -> Column:
    kind = Kind.CATEGORY if vocabulary else Kind.TEXT
    return Column(name, kind, description, vocabulary=vocabulary)


def _count(name: str, description: str, unit: str = "calls") -> Column:
    return Column(name, Kind.COUNT, description, unit)


def _time(name: str, description: str) -> Column:
    return Column(name, Kind.MILLISECONDS, description, "ms")


def _money(name: str, description: str, unit: str = "price_unit") -> Column:
    return Column(name, Kind.MONEY, description, unit)


KEYS: tuple[Column, ...] = (
    Column(
        "period",
        Kind.INSTANT,
        "The start of the period in which calls started, in the breakdown's time zone; null for "
        "calls that never started.",
    ),
    _key("leg", "Whether another call created this one (child) or none did (root).", *LEGS),
    _count(
        "hour", "The hour of the day in which the calls started, in the breakdown's time zone.", "h"
    ),
    _key(
        "weekday",
        "The day of the week on which the calls started, in the breakdown's time zone.",
        *WEEKDAYS,
    ),
    _key(
        "channel",
        "What carried the call: a SIP trunk, or else the kind of the other party's address.",
        *CHANNELS,
    ),
    _key(
        "country",
        "The country of the other party's number, in ISO 3166-1 alpha-2; a lower-case word or a "
        "calling code if the address does not identify one.",
    ),
    _key(
        "number_type",
        "The type of the other party's number, or what its address is instead.",
        *NUMBER_TYPES,
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
    _key(
        "total_over",
        "In totals, the keys totalled over, which are null there; null in the rows of groups.",
    ),
)

_CALLS = _count("calls", "How many calls there are, whatever their status.")
_PRICED = _count("priced_calls", "How many calls have a price, zero included.")
_UNPRICED = _count("unpriced_calls", "How many completed calls are not priced yet.")
_COST = _money("cost", "The connectivity cost, charges less credits; null if no call has a price.")
_BILLED_MINUTES = Column(
    "billed_minutes",
    Kind.DECIMAL,
    "The durations of priced calls, each rounded up to the billing increment.",
    "min",
)

COST: tuple[Column, ...] = (
    _CALLS,
    _PRICED,
    _UNPRICED,
    _time("unpriced_duration", "The total duration of completed calls that are not priced yet."),
    _money(
        "charges",
        "What was charged: the negative prices, made positive; null if no call has a price.",
    ),
    _money("credits", "What was credited: the positive prices; null if no call has a price."),
    _COST,
    _BILLED_MINUTES,
    _money(
        "cost_per_billed_minute",
        "Cost divided by billed minutes, rounded half-even; null without billed minutes.",
        "price_unit per min",
    ),
    _money(
        "cost_per_call",
        "Cost divided by priced calls, rounded half-even; null if no call has a price.",
        "price_unit per call",
    ),
    _money("largest_call", "The cost of the most expensive call; null if no call has a price."),
)

DURATION: tuple[Column, ...] = (
    _CALLS,
    _count("ended_calls", "How many calls are completed, busy, failed, no-answer or canceled."),
    _count("answered_calls", "How many calls are completed and lasted longer than zero."),
    Column(
        "answer_seizure_ratio",
        Kind.RATIO,
        "Answered calls divided by ended calls (ASR); null if none has ended.",
        "1",
    ),
    _time("total_duration", "How long the answered calls lasted in total."),
    _time(
        "average_duration", "How long an answered call lasted on average (ACD), rounded half-even."
    ),
    _time(
        "median_duration",
        "The duration that half of the answered calls did not exceed, by nearest rank.",
    ),
    _time(
        "p95_duration",
        "The duration that 95 % of the answered calls did not exceed, by nearest rank.",
    ),
    _time("longest_duration", "How long the longest answered call lasted."),
    _PRICED,
    _BILLED_MINUTES,
    _time(
        "rounding_waste",
        "What was billed but not spoken: the priced calls' billed minutes less their durations.",
    ),
    _count("queued_calls", "How many outbound-api calls have a queue time."),
    _time(
        "average_queue_time",
        "How long an outbound-api call waited on average to be placed, rounded half-even.",
    ),
    _time(
        "median_queue_time",
        "The wait that half of the outbound-api calls did not exceed, by nearest rank.",
    ),
)

TREES: tuple[Column, ...] = (
    _key("root_sid", "The first call of the tree, which has no parent."),
    _key(
        "root",
        "Whether the root is in the frame (present), is only named as a parent (absent), or cannot "
        "be determined, because the legs name each other as parents in a circle (none).",
        *ROOTS,
    ),
    _count("legs", "How many calls of the tree are in the frame."),
    _count("answered_legs", "How many legs are completed and lasted longer than zero."),
    _time("talk_time", "How long the answered legs lasted in total."),
    *(_PRICED, _UNPRICED, _COST),
    Column("first_start", Kind.INSTANT, "When the first leg started.", "UTC"),
    Column("last_end", Kind.INSTANT, "When the last leg ended; null until all have ended.", "UTC"),
)

IN_PROGRESS: tuple[Column, ...] = (
    _count("calls_started", "How many calls started in the period."),
    _count("peak_in_progress", "The highest number of calls in progress at the same time."),
    Column(
        "mean_in_progress",
        Kind.DECIMAL,
        "How many calls were in progress on average over the period, rounded half-even.",
        "calls",
    ),
    _count(
        "peak_starts_per_second",
        "The highest number of calls that started in one second of the clock.",
        "calls per s",
    ),
)

MEASURES: tuple[Column, ...] = tuple(dict.fromkeys((*COST, *DURATION, *TREES, *IN_PROGRESS)))
