"""Call trees: a call, the legs that it created, and the legs that those created."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from callkit.breakdown.breakdowns import answered
from callkit.breakdown.exact import (
    Ints,
    any_of,
    covering,
    durations,
    each_once,
    instants,
    milliseconds,
    money,
    need,
    prices,
)
from callkit.breakdown.groups import Groups, Measured
from callkit.breakdown.measures import ROOTS
from callkit.errors import FrameError
from callkit.schema import LIVE_STATUSES

_PRESENT, _ABSENT, _NONE = range(len(ROOTS))


def roll_up(df: pd.DataFrame) -> pd.DataFrame:
    """Roll up the legs of each call: what it cost from end to end.

    Parameters
    ----------
    df : DataFrame
        Calls, one row each, as :func:`callkit.to_frame` returns them, with ``sid``,
        ``parent_call_sid``, ``status``, ``duration``, ``price``, ``price_unit``, ``start_time`` and
        ``end_time``.

    Returns
    -------
    DataFrame
        One row per tree and currency (most trees have only one), by first start, then by SID; trees
        that never started come last.

        - ``root_sid``, ``price_unit``, str: the first call of the tree, however many generations
          up, and the currency.
        - ``root``, category: ``present``, the root is in the frame; ``absent``, it is not, and
          ``root_sid`` is the highest call that a leg names as its parent; ``none``, the legs name
          each other in a circle (broken data), and ``root_sid`` is the smallest SID in it.
        - ``legs``, int64: the calls of the tree in the frame, the root included; legs that a SID
          list did not contain are missing without warning.
        - ``answered_legs``, int64, and ``talk_time``, timedelta64[ms]: the completed legs that
          lasted longer than zero, and the sum of their durations; legs that overlap all count.
        - ``priced_calls``, ``unpriced_calls``, int64, ``cost``, decimal128(18, 8): as in
          :func:`cost_breakdown`, over the legs.
        - ``first_start``, ``last_end``, datetime64[us, UTC]: of the legs. The end is null while a
          leg is queued, ringing or in progress.

        ``attrs["callkit"]`` is as for :func:`cost_breakdown`.

    Raises
    ------
    FrameError
        As for :func:`cost_breakdown`, or there are calls without a SID.

    Examples
    --------
    >>> root = {"sid": "CA" + "0" * 32, "price": "-0.01", "price_unit": "USD"}
    >>> leg = {**root, "sid": "CA" + "1" * 32, "parent_call_sid": root["sid"]}
    >>> roll_up(callkit.normalise([root, leg]))[["root", "legs", "cost"]]
          root  legs        cost
    0  present     2  0.02000000
    """
    needed = ["sid", "parent_call_sid", "status", "duration", "price", "price_unit"]
    need(df, [*needed, "start_time", "end_time"])
    each_once(df)
    sids, root, top = _forest(df)
    groups = Groups(pd.DataFrame({"tree": top, "price_unit": df["price_unit"].array}))
    tree = groups.keys["tree"].to_numpy()
    rows = pd.DataFrame(
        {
            "root_sid": pd.Series(sids.take(pa.array(tree)), dtype="str"),
            "price_unit": groups.keys["price_unit"],
            "root": pd.Categorical.from_codes(root[tree], pd.Index(ROOTS)),
            **_measures(df, groups),
        }
    )
    # Arrow sorts text several times faster than pandas does.
    keys = {name: pa.array(rows[name]) for name in ("first_start", "root_sid", "price_unit")}
    order = pc.sort_indices(pa.table(keys), sort_keys=[(name, "ascending") for name in keys])
    return covering(rows.iloc[order.to_numpy()].reset_index(drop=True), df)


def _forest(df: pd.DataFrame) -> tuple[pa.Array, NDArray[np.int8], Ints]:
    """Find the trees. SIDs are numbered: those of the frame, then parents that are not in it.

    Return the SID of each; for each that is the top of a tree, what kind of root it is; and for
    each call of the frame, the top of its tree.
    """
    sids, parents = (_text(df, name) for name in ("sid", "parent_call_sid"))
    if sids.null_count:
        raise FrameError(
            f"Number of calls without a SID, whose legs cannot be found: {sids.null_count:,}. "
            "Remove them with dropna(subset='sid')"
        )
    encoded = pa.concat_arrays([sids, parents]).dictionary_encode()
    sids, parents = encoded.dictionary, encoded.indices[len(df) :]
    up = np.arange(len(sids))
    up[np.flatnonzero(parents.is_valid())] = parents.drop_null()
    root = np.full(len(sids), _NONE, dtype=np.int8)
    root[: len(df)][df["parent_call_sid"].isna()] = _PRESENT
    root[len(df) :] = _ABSENT
    top = _tops(up)
    circling = root[top] == _NONE
    if circling.any():
        top = np.where(circling, _smallest_of_circle(up, sids)[top], top)
    return sids, root, top[: len(df)]


def _tops(up: Ints) -> Ints:
    """Follow the parents to the end, or into a circle: each round doubles the climb."""
    for _ in range(len(up).bit_length()):
        up, lower = up[up], up
        if np.array_equal(up, lower):
            break
    return up


def _smallest_of_circle(up: Ints, sids: pa.Array) -> Ints:
    order = pc.array_sort_indices(sids).to_numpy()
    rank = np.empty(len(up), dtype=np.int64)
    rank[order] = np.arange(len(up))
    for _ in range(len(up).bit_length()):
        rank = np.minimum(rank, rank[up])
        up = up[up]
    smallest: Ints = order[rank].astype(np.int64)
    return smallest


def _text(df: pd.DataFrame, name: str) -> pa.Array:
    try:
        text = pa.array(df[name].array, from_pandas=True).cast(pa.large_string())
    except pa.ArrowException as error:
        raise FrameError(
            f"Column {name!r} has dtype {df[name].dtype}: expected Call SIDs as text"
        ) from error
    return text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text


def _measures(df: pd.DataFrame, groups: Groups) -> Measured:
    price, priced = prices(df)
    length, _ = milliseconds(df, "duration")
    spoken = answered(df)
    priced_calls = groups.count(priced)
    up = any_of(df, "status", LIVE_STATUSES)
    return {
        "legs": groups.count(),
        "answered_legs": groups.count(spoken),
        "talk_time": durations(groups.total(np.where(spoken, length, 0))),
        "priced_calls": priced_calls,
        "unpriced_calls": groups.count(any_of(df, "status", ["completed"]) & ~priced),
        "cost": money(groups.total(-price), priced_calls > 0),
        "first_start": _latest(groups, df, "start_time", sign=-1),
        "last_end": _latest(groups, df, "end_time").mask(groups.count(up) > 0),
    }


def _latest(groups: Groups, df: pd.DataFrame, name: str, sign: int = 1) -> pd.Series:
    """Find the latest instant of each group, or the earliest where `sign` is -1."""
    when = instants(df, name).dt.tz_localize(None).to_numpy("datetime64[us]").view("int64")
    # As an integer, a missing instant is the least of all, which is its own negative.
    moments = (sign * groups.most(sign * when)).view("datetime64[us]")
    return pd.Series(pd.DatetimeIndex(moments, tz="UTC"))
