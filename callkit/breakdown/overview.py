"""A one-page overview, as text or HTML: what the calls were, what they cost, and what changed."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any, TypeAlias

import pandas as pd

from callkit.breakdown.breakdowns import cost_breakdown, duration_breakdown
from callkit.breakdown.exact import any_of, instants, money, need, prices
from callkit.breakdown.keys import OUTBOUND, frequency, period_bounds, zone
from callkit.printable import printable
from callkit.renamed import renamed_attributes
from callkit.schema import LIVE_STATUSES

_Section: TypeAlias = tuple[str, pd.DataFrame, list[str]]

_MOST = 10


@renamed_attributes(
    dearest_calls="most_expensive_calls", dearest_destinations="most_expensive_destinations"
)
@dataclass(frozen=True, repr=False)
class Summary:
    """The result of :func:`callkit.summary`: prints as text, shows as tables in a notebook.

    It has no telephone numbers, names or addresses: calls are given by SID, destinations by
    country.

    Attributes
    ----------
    calls, never_started : int
        How many calls the frame has, and how many of them never started.
    first_start, last_start : Timestamp or NaT
        When the first and the last of them started, in `tz`.
    tz, freq : str
        The arguments it was made with.
    outcomes : DataFrame
        ``status``, ``calls``, and their ``share`` of all calls (float64, from 0 to 1).
    costs : DataFrame
        :func:`callkit.cost_breakdown` of all calls, one row per currency; ``open_calls``, int64:
        those that are queued, ringing or in progress; and ``final``, bool: no completed call lacks
        its price and none is open, including those without a currency.
    durations : DataFrame
        :func:`callkit.duration_breakdown` of all calls: one row, or none if there are no calls.
    most_expensive_calls, most_expensive_destinations : DataFrame
        At most ten per currency, the most expensive first; destinations are of outbound calls.
    changes : DataFrame
        The last two whole periods, the earlier first, in each currency; empty if there are not two.
    """

    calls: int
    first_start: pd.Timestamp
    last_start: pd.Timestamp
    never_started: int
    tz: str
    freq: str
    outcomes: pd.DataFrame
    costs: pd.DataFrame
    durations: pd.DataFrame
    most_expensive_calls: pd.DataFrame
    most_expensive_destinations: pd.DataFrame
    changes: pd.DataFrame

    def __str__(self) -> str:
        blocks: list[str] = []
        for heading, table, notes in _sections(self):
            lines = [heading, "=" * len(heading)] if not blocks else [heading]
            lines += [f"  {line}" for line in (*_lines(table), *notes)]
            blocks.append("\n".join(lines))
        return "\n\n".join(blocks)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = []
        for heading, table, notes in _sections(self):
            parts.append(f"<h4>{escape(heading)}</h4>")
            if len(table):
                parts.append(table.to_html(index=False, border=0))
            parts += [f"<p>{escape(note)}</p>" for note in notes]
        return "\n".join(parts)


def summary(df: pd.DataFrame, *, freq: str = "W", tz: str = "UTC") -> Summary:
    """Summarise calls: outcomes, cost, durations, most expensive calls, and changes.

    Parameters
    ----------
    df : DataFrame
        Calls, one row each, as :func:`callkit.to_frame` returns them, with ``sid``, ``from``,
        ``to``, ``start_time``, and what :func:`cost_breakdown` and :func:`duration_breakdown` need.
    freq, tz : str
        The length of the periods to compare, and the zone, as for :func:`cost_breakdown`.

    Returns
    -------
    Summary
        Its ``str()`` fits a terminal of 80 columns, unless amounts or counts are very large; its
        attributes are the exact tables.

    Raises
    ------
    FrameError
        As for :func:`cost_breakdown`.

    Notes
    -----
    The two periods compared are the last whole ones. A period is over once a call has started after
    it, so the last one with calls is left out. The first counts as whole if a call started in its
    first 24 hours.

    Examples
    --------
    >>> call = {"sid": "CA" + "0" * 32, "direction": "outbound-api", "to": "+442079460000"}
    >>> page = summary(callkit.normalise([{**call, "price": "-0.026", "price_unit": "USD"}]))
    >>> page.most_expensive_destinations[["country", "number_type", "calls", "cost"]]
      country number_type  calls        cost
    0      GB       fixed      1  0.02600000
    """
    need(df, ["sid", "status", "direction", "from", "to", "start_time"])
    frequency(freq)
    zone(tz)
    outcomes = duration_breakdown(df, "status")[["status", "calls"]]
    started = instants(df).dropna().dt.tz_convert(tz)
    return Summary(
        calls=len(df),
        first_start=started.min(),
        last_start=started.max(),
        never_started=len(df) - len(started),
        tz=tz,
        freq=freq,
        outcomes=outcomes.assign(share=outcomes["calls"] / max(len(df), 1)),
        costs=_costs(df),
        durations=duration_breakdown(df),
        most_expensive_calls=_most_expensive_calls(df, tz),
        most_expensive_destinations=_most_expensive_destinations(df),
        changes=_changes(df, freq, tz),
    )


def _costs(df: pd.DataFrame) -> pd.DataFrame:
    costs = cost_breakdown(df)
    of_each = df.loc[any_of(df, "status", LIVE_STATUSES), "price_unit"].value_counts(dropna=False)
    opened = costs["price_unit"].map(of_each).fillna(0).astype("int64")
    priced = (costs["unpriced_calls"] == 0) & (opened == 0)
    # Unpriced calls without a currency may belong to any of them.
    anywhere = bool(priced[costs["price_unit"].isna()].all())
    return costs.assign(open_calls=opened, final=priced & anywhere)


def _most_expensive_calls(df: pd.DataFrame, tz: str) -> pd.DataFrame:
    price, _ = prices(df)
    cost = pd.Series(-price)
    charged = cost[cost > 0]
    unit = df["price_unit"].set_axis(cost.index)
    highest = charged.groupby(unit[charged.index], dropna=False).nlargest(_MOST, keep="all")
    calls = df.iloc[highest.index.get_level_values(-1)].reset_index(drop=True)
    calls["start_time"] = instants(calls).dt.tz_convert(tz)
    calls["cost"] = money(highest.to_numpy())
    return _most_expensive(calls, ["price_unit", "cost", "sid", "start_time", "duration"], "sid")


def _most_expensive_destinations(df: pd.DataFrame) -> pd.DataFrame:
    where = cost_breakdown(df[any_of(df, "direction", OUTBOUND)], ["country", "number_type"])
    charged = where[(where["cost"] > 0).fillna(value=False)]
    columns = ["price_unit", "country", "number_type", "calls", "billed_minutes", "cost"]
    return _most_expensive(charged, columns, "country")


def _most_expensive(rows: pd.DataFrame, columns: list[str], tie_breaker: str) -> pd.DataFrame:
    order = rows.sort_values(
        ["price_unit", "cost", tie_breaker], ascending=[True, False, True], kind="stable"
    )
    first = order.groupby("price_unit", dropna=False, sort=False).head(_MOST)
    return first.reset_index(drop=True)[columns]


def _changes(df: pd.DataFrame, freq: str, tz: str) -> pd.DataFrame:
    costs = cost_breakdown(df, freq=freq, tz=tz, fill=True)
    times = duration_breakdown(df, "price_unit", freq=freq, tz=tz, fill=True)
    compared = ["calls", "answered_calls", "answer_seizure_ratio", "average_duration"]
    rows = times[["period", "price_unit", *compared]].join(costs[["cost", "unpriced_calls"]])
    rows = rows[rows["period"].isin(_compared(df, freq, tz))]
    return rows.sort_values(["price_unit", "period"], kind="stable", ignore_index=True)


def _compared(df: pd.DataFrame, freq: str, tz: str) -> pd.DatetimeIndex:
    """Find when the last two whole periods began; nothing if there are not two."""
    started = instants(df).dropna()
    if started.empty:
        return pd.DatetimeIndex([], dtype="datetime64[us, UTC]")
    periods = period_bounds(started.min(), started.max(), freq, tz)[:-1]
    whole = periods[int(started.min() >= periods[0] + pd.Timedelta(days=1)) : -1]
    return whole[-2:] if len(whole) > 1 else whole[:0]


def _sections(summary: Summary) -> Iterator[_Section]:
    """Yield the sections: a heading, a table of text (perhaps empty), and notes."""
    heading = f"{summary.calls:,} {'call' if summary.calls == 1 else 'calls'}"
    yield heading, pd.DataFrame(), _period(summary)
    if not summary.calls:
        return
    outcomes = _written(summary.outcomes, "status", "calls", "share")
    yield "How they went", outcomes, _durations(summary)
    yield "Connectivity cost", *_cost(summary.costs)
    calls, places = summary.most_expensive_calls, summary.most_expensive_destinations
    yield (
        f"Most expensive calls (times in {summary.tz})",
        _written(calls, "sid", "start_time", "duration", "cost", "price_unit"),
        [] if len(calls) else ["No call was charged."],
    )
    columns = ("country", "number_type", "calls", "billed_minutes", "cost", "price_unit")
    yield (
        "Most expensive outbound destinations",
        _written(places, *columns),
        [] if len(places) else ["No outbound call was charged."],
    )
    yield _what_changed(summary)


def _period(summary: Summary) -> list[str]:
    if not summary.calls:
        return ["No calls."]
    notes = [f"{summary.never_started:,} never started."] if summary.never_started else []
    if not pd.isna(summary.first_start):
        first, last = _moment(summary.first_start), _moment(summary.last_start)
        notes.insert(0, f"Started from {first} to {last} ({summary.tz}).")
    return notes


def _durations(summary: Summary) -> list[str]:
    (row,) = summary.durations.to_dict("records")
    answered, ended = row["answered_calls"], row["ended_calls"]
    ratio = _percent(row["answer_seizure_ratio"])
    notes = [f"{answered:,} of {ended:,} calls that ended were answered: ASR {ratio}."]
    if answered:
        average, total, median, p95, longest = (
            _clock(row[f"{name}_duration"])
            for name in ("average", "total", "median", "p95", "longest")
        )
        notes += [
            f"They lasted {average} on average (ACD), {total} together.",
            f"Half of them took up to {median}, 95 % up to {p95}.",
            f"The longest took {longest} (hours:minutes:seconds).",
        ]
    return notes


def _cost(costs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    columns = ("cost", "charges", "credits", "billed_minutes", "cost_per_billed_minute", "final")
    table = _written(costs, "price_unit", *columns)
    notes = [
        f"{_text(row['price_unit'])} is not final (completed calls without a price: "
        f"{row['unpriced_calls']:,}; calls not ended: {row['open_calls']:,})."
        for row in costs.to_dict("records")
        if not row["final"]
    ]
    return table, notes


def _what_changed(summary: Summary) -> _Section:
    changes = summary.changes
    if changes.empty:
        note = f"The calls do not cover two whole periods of freq={summary.freq!r}."
        return "What changed", pd.DataFrame(), [note]
    before, after = (_moment(moment) for moment in changes["period"].drop_duplicates())
    pairs = changes.groupby("price_unit", dropna=False, sort=False)
    rows = [row for _, pair in pairs for row in _differences(*pair.to_dict("records"))]
    unpriced = int(changes["unpriced_calls"].sum())
    notes = [f"Costs are not final (completed calls without a price: {unpriced:,})."]
    return (
        f"What changed, in whole periods of freq={summary.freq!r} ({summary.tz})",
        pd.DataFrame(rows, columns=["", f"from {before}", f"from {after}", "change"]),
        notes if unpriced else [],
    )


def _differences(before: dict[Hashable, Any], after: dict[Hashable, Any]) -> Iterator[list[str]]:
    labels = {"calls": "calls", "answered_calls": "answered", "answer_seizure_ratio": "ASR"}
    labels |= {"average_duration": "ACD", "cost": "cost"}
    for name, label in labels.items():
        was, now, write = before[name], after[name], _WRITERS[name]
        unit = _text(before["price_unit"])
        yield [f"{unit} {label}", write(was), write(now), _change(name, was, now)]


def _change(name: str, before: Any, after: Any) -> str:
    if pd.isna(before) or pd.isna(after):
        return "-"
    if name == "answer_seizure_ratio":
        return f"{(after - before) * 100:+.1f} points"
    return f"{float(after / before) - 1:+,.1%}".replace("%", " %") if before else "-"


def _written(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    headings = [_HEADINGS.get(name, name.replace("_", " ")) for name in columns]
    cells = [list(map(_WRITERS[name], frame[name].astype(object))) for name in columns]
    return pd.DataFrame(dict(zip(headings, cells, strict=True)), dtype=object)


def _lines(table: pd.DataFrame) -> list[str]:
    """Lay out a table of text: the first column to the left, the others to the right."""
    if table.empty:
        return []
    # DataFrame.to_string puts one space between headings, so that those of two words run together.
    columns = []
    for place, name in enumerate(table.columns):
        cells = [name, *table.iloc[:, place]]
        width = max(map(len, cells))
        columns.append([cell.ljust(width) if place == 0 else cell.rjust(width) for cell in cells])
    return ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]


def _text(value: Any) -> str:
    return "(none)" if pd.isna(value) else printable(str(value))


def _known(write: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: "-" if pd.isna(value) else write(value)


@_known
def _clock(value: Any) -> str:
    minutes, seconds = divmod(round(value.total_seconds()), 60)
    return f"{minutes // 60:,}:{minutes % 60:02}:{seconds:02}"


_percent = _known(lambda share: f"{share:.1%}".replace("%", " %"))
_moment = _known("{:%Y-%m-%d %H:%M}".format)
# Short, so that the tables fit into 80 columns.
_HEADINGS = {"price_unit": "unit", "cost_per_billed_minute": "per minute"}
_WRITERS = {
    **dict.fromkeys(("status", "sid", "country", "number_type", "price_unit"), _text),
    **dict.fromkeys(("calls", "answered_calls"), _known("{:,}".format)),
    **dict.fromkeys(("share", "answer_seizure_ratio"), _percent),
    **dict.fromkeys(
        ("cost", "charges", "credits", "cost_per_billed_minute"), _known("{:,.4f}".format)
    ),
    **dict.fromkeys(("duration", "average_duration"), _clock),
    "billed_minutes": _known("{:,.2f}".format),
    "start_time": _moment,
    "final": _known(lambda value: "yes" if value else "no"),
}
