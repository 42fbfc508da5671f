"""How fast are the breakdowns? Each beside the bare pandas groupby that it rests on.

Run it as ``python -m benchmarks.breakdown`` (``--calls 1000000 --rounds 5``). Each round runs every
pair in turn over the same frame, so that a busy machine slows both alike; the best round counts.
The bare groupby is what one would write by hand: the key derived as pandas does it (the other
party's country looked up in a dict that is there beforehand), then sums, counts, means and
quantiles, exact or not, without a check of anything. Memory is what a breakdown takes
at its peak beside the frame, as tracemalloc and Arrow's own pool count it.
"""

from __future__ import annotations

import argparse
import gc
import tracemalloc
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import pandas as pd
import pyarrow as pa

import callkit
from callkit.breakdown import calls_in_progress, roll_up
from callkit.breakdown.keys import origin_of_party
from tests.breakdown.synthetic import sandbox_calls

if TYPE_CHECKING:
    from collections.abc import Callable

    Work: TypeAlias = Callable[[], object]

_COST: dict[str, Any] = {
    "status": "size",
    "price": ["count", "sum", "min", "mean"],
    "duration": "sum",
}
_DURATION: dict[str, Any] = {
    "status": "size",
    "duration": ["sum", "mean", "median", "max"],
    "queue_time": ["count", "mean", "median"],
    "price": "count",
}
BYS: tuple[tuple[list[str], str | None, str], ...] = (
    (["direction"], None, "UTC"),
    (["direction", "status"], None, "UTC"),
    (["direction"], "D", "Europe/Berlin"),
    ([], "h", "America/New_York"),
    (["weekday", "hour"], None, "Europe/Berlin"),
    (["country"], None, "UTC"),
    (["to"], None, "UTC"),
)


def countries_of(df: pd.DataFrame) -> dict[str, str]:
    """Look all numbers up beforehand."""
    addresses = pd.concat([df["from"], df["to"]]).dropna().unique().tolist()
    return {address: origin_of_party(address).country for address in addresses}


class BareKeys(NamedTuple):
    """Derives keys as one would by hand."""

    df: pd.DataFrame
    countries: dict[str, str]
    by: list[str]
    freq: str | None
    tz: str

    def __call__(self) -> list[pd.Series]:
        keys = [self._key(name) for name in self.by]
        if self.freq is None:
            return keys
        clock = self._clock
        # a day is no fixed length of time, an hour is
        return [clock.normalize() if self.freq == "D" else clock.floor(self.freq), *keys]

    @property
    def _clock(self) -> Any:
        return self.df["start_time"].dt.tz_convert(self.tz).dt

    def _key(self, name: str) -> Any:
        match name:
            case "weekday":
                return self._clock.day_name()
            case "hour":
                return self._clock.hour
            case "country":
                inward = self.df["direction"].isin(["inbound", "trunking-originating"])
                return self.df["to"].where(~inward, self.df["from"]).map(self.countries)
        return self.df[name]


def pairs(df: pd.DataFrame) -> dict[str, tuple[Work, Work]]:
    """Name each breakdown, with itself and the bare groupby."""
    found: dict[str, tuple[Work, Work]] = {}
    countries = countries_of(df)
    for by, freq, tz in BYS:
        name = ", ".join([*by, *filter(None, [freq])])
        keys = BareKeys(df, countries, by, freq, tz)
        found[f"cost by {name}"] = (
            partial(callkit.cost_breakdown, df, by, freq=freq, tz=tz),
            partial(_bare_cost, df, keys),
        )
        found[f"duration by {name}"] = (
            partial(callkit.duration_breakdown, df, by, freq=freq, tz=tz),
            partial(_bare_duration, df, keys),
        )
    found["roll_up"] = (partial(roll_up, df), partial(_bare_trees, df))
    found["calls_in_progress, h"] = (
        partial(calls_in_progress, df, freq="h", tz="Europe/Berlin"),
        partial(_bare_levels, df),
    )
    return found


def _bare_cost(df: pd.DataFrame, keys: BareKeys) -> object:
    by = [*keys(), df["price_unit"]]
    return df.groupby(by, observed=True, dropna=False).agg(_COST)


def _bare_duration(df: pd.DataFrame, keys: BareKeys) -> object:
    groups = df.groupby(keys(), observed=True, dropna=False)
    return groups.agg(_DURATION), groups["duration"].quantile(0.95)


def _bare_trees(df: pd.DataFrame) -> pd.DataFrame:
    root = df["parent_call_sid"].fillna(df["sid"])
    return df.groupby([root, "price_unit"], dropna=False).agg(
        {"sid": "size", "duration": "sum", "price": ["count", "sum"]}
        | {"start_time": "min", "end_time": "max"}
    )


def _bare_levels(df: pd.DataFrame) -> pd.Series:
    starts, ends = df["start_time"].dropna(), df["end_time"].dropna()
    change = pd.concat([pd.Series(1, index=starts), pd.Series(-1, index=ends)])
    level = change.groupby(level=0).sum().cumsum()
    return level.groupby(pd.Grouper(freq="h")).max()


def peak_memory(work: Work) -> int:
    """Count the bytes that `work` takes at its peak, Python's and Arrow's."""
    gc.collect()
    usual = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(pool)
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    pa.set_memory_pool(usual)
    return peak + int(pool.max_memory())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    df = sandbox_calls(options.calls)
    size = int(df.memory_usage(deep=True).sum())
    print(f"{len(df):,} calls of {size / len(df):,.0f} bytes, best of {options.rounds} rounds")
    print(f"{'':32}{'callkit, ms':>12}{'groupby, ms':>12}{'ratio':>8}{'memory of the frame':>22}")
    for name, works in pairs(df).items():
        memory = peak_memory(works[0]) / size
        best = [float("inf"), float("inf")]
        for _ in range(options.rounds):
            for place, work in enumerate(works):
                gc.collect()
                begin = perf_counter()
                work()
                best[place] = min(best[place], perf_counter() - begin)
        ours, bare = best
        print(f"{name:32}{ours * 1e3:>12.0f}{bare * 1e3:>12.0f}{ours / bare:>8.2f}{memory:>22.2f}")


if __name__ == "__main__":
    main()
