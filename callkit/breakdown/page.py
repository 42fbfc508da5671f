"""The page that a summary is read on: as text for a terminal, as HTML for a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from callkit.breakdown.summary import Summary

__all__ = ["as_html", "as_text"]

_NOTHING = "-"
_LENGTHS = ("average", "total", "median", "p95", "longest")


class _Section(NamedTuple):
    """A heading, a table of text (or none), and what there is to say about it."""

    heading: str
    table: pd.DataFrame
    notes: list[str]


def as_text(summary: Summary) -> str:
    """Write the page in at most 100 columns."""
    blocks: list[str] = []
    for heading, table, notes in _sections(summary):
        lines = [heading, "=" * len(heading)] if not blocks else [heading]
        lines += [f"  {line}" for line in _lines(table)] + [f"  {note}" for note in notes]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def as_html(summary: Summary) -> str:
    """Write the page as HTML; what comes from the calls is escaped."""
    parts = []
    for heading, table, notes in _sections(summary):
        parts.append(f"<h4>{escape(heading)}</h4>")
        if len(table):
            parts.append(table.to_html(index=False, border=0))
        parts += [f"<p>{escape(note)}</p>" for note in notes]
    return "\n".join(parts)


def _lines(table: pd.DataFrame) -> list[str]:
    """Lay a table of text out: the first column to the left, the others to the right."""
    if not len(table):
        return []
    columns = []
    for place, name in enumerate(table.columns):
        cells = [str(name), *table.iloc[:, place]]
        width = max(map(len, cells))
        columns.append([cell.ljust(width) if place == 0 else cell.rjust(width) for cell in cells])
    return ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]


def _sections(summary: Summary) -> Iterator[_Section]:
    heading = f"{summary.calls:,} {'call' if summary.calls == 1 else 'calls'}"
    yield _Section(heading, pd.DataFrame(), _period(summary))
    if not summary.calls:
        return
    outcomes = _written(summary.outcomes, {"status": _text, "calls": _count, "share": _percent})
    yield _Section("How they went", outcomes, _durations(summary))
    yield _Section("Connectivity cost", *_costs(summary.costs))
    calls = {"sid": _text, "start_time": _moment, "duration": _clock, "cost": _amount}
    yield _Section(
        f"The dearest calls (times in {summary.tz})",
        _written(summary.dearest_calls, {**calls, "price_unit": _text}),
        [] if len(summary.dearest_calls) else ["No call was charged."],
    )
    places = {"country": _text, "number_type": _text, "calls": _count, "billed_minutes": _minutes}
    yield _Section(
        "The dearest destinations of calls that went out",
        _written(summary.dearest_destinations, {**places, "cost": _amount, "price_unit": _text}),
        [] if len(summary.dearest_destinations) else ["No call that went out was charged."],
    )
    yield _changes(summary)


def _period(summary: Summary) -> list[str]:
    if not summary.calls:
        return ["There is nothing to sum up."]
    never = f"{summary.never_started:,} never started."
    if pd.isna(summary.first_start):
        return [never]
    first, last = _moment(summary.first_start), _moment(summary.last_start)
    started = f"Started from {first} to {last} ({summary.tz})."
    return [started, never] if summary.never_started else [started]


def _durations(summary: Summary) -> list[str]:
    (row,) = summary.durations.to_dict("records")
    answered, ended = row["answered_calls"], row["ended_calls"]
    ratio = _percent(row["answer_seizure_ratio"])
    notes = [f"{answered:,} of {ended:,} calls that ended were answered: ASR {ratio}."]
    if answered:
        lasted = {name: _clock(row[f"{name}_duration"]) for name in _LENGTHS}
        notes += [
            f"They lasted {lasted['average']} on average (ACD), {lasted['total']} together.",
            f"Half of them took up to {lasted['median']}, 95 % up to {lasted['p95']}.",
            f"The longest took {lasted['longest']} (hours:minutes:seconds).",
        ]
    return notes


def _costs(costs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    table = _written(
        costs,
        {"price_unit": _text, "cost": _amount, "charges": _amount, "credits": _amount}
        | {"billed_minutes": _minutes, "cost_per_billed_minute": _amount, "final": _yes},
    ).rename(columns={"cost per billed minute": "per minute"})
    notes = [
        f"{_text(row['price_unit'])} is not final: completed calls without a price "
        f"{row['unpriced_calls']:,}, calls not over {row['open_calls']:,}."
        for row in costs.to_dict("records")
        if not row["final"]
    ]
    return table, notes


def _changes(summary: Summary) -> _Section:
    changes = summary.changes
    if changes.empty:
        return _Section(
            "What changed",
            pd.DataFrame(),
            [f"The calls do not cover two whole periods of freq={summary.freq!r}."],
        )
    before, after = (_moment(moment) for moment in changes["period"].drop_duplicates())
    rows = []
    for _, pair in changes.groupby("price_unit", dropna=False, sort=False):
        rows += _compared(*pair.to_dict("records"))
    table = pd.DataFrame(rows, columns=["", f"from {before}", f"from {after}", "change"])
    unpriced = int(changes["unpriced_calls"].sum())
    notes = [f"Costs not final: completed calls of these periods without a price {unpriced:,}."]
    return _Section(
        f"What changed, in whole periods of freq={summary.freq!r} ({summary.tz})",
        table,
        notes if unpriced else [],
    )


def _compared(before: dict[Hashable, Any], after: dict[Hashable, Any]) -> list[list[str]]:
    unit = _text(before["price_unit"])
    shown = {
        "calls": ("calls", _count, _relative),
        "answered_calls": ("answered", _count, _relative),
        "answer_seizure_ratio": ("ASR", _percent, _points),
        "average_duration": ("ACD", _clock, _relative),
        "cost": ("cost", _amount, _relative),
    }
    return [
        [f"{unit} {label}", write(was), write(now), change(was, now)]
        for name, (label, write, change) in shown.items()
        for was, now in [(before[name], after[name])]
    ]


def _relative(before: Any, after: Any) -> str:
    if pd.isna(before) or pd.isna(after) or not before:
        return _NOTHING
    return f"{float(after / before) - 1:+,.1%}".replace("%", " %")


def _points(before: Any, after: Any) -> str:
    return (
        _NOTHING if pd.isna(before) or pd.isna(after) else f"{(after - before) * 100:+.1f} points"
    )


def _written(frame: pd.DataFrame, columns: dict[str, Callable[[Any], str]]) -> pd.DataFrame:
    """Write columns of a frame as text."""
    return pd.DataFrame(
        {
            name.replace("_", " "): [write(value) for value in frame[name].astype(object)]
            for name, write in columns.items()
        },
        dtype=object,
    )


def _text(value: Any) -> str:
    return "(none)" if pd.isna(value) else str(value)


def _known(write: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: _NOTHING if pd.isna(value) else write(value)


_count = _known("{:,}".format)
_amount = _known("{:,.4f}".format)
_minutes = _known("{:,.2f}".format)
_percent = _known(lambda share: f"{share:.1%}".replace("%", " %"))
_moment = _known("{:%Y-%m-%d %H:%M}".format)
_yes = _known(lambda value: "final" if value else "not final")


@_known
def _clock(value: Any) -> str:
    minutes, seconds = divmod(round(value.total_seconds()), 60)
    return f"{minutes // 60:,}:{minutes % 60:02}:{seconds:02}"
