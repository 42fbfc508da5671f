"""Legs put together by the call that they come from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callkit.breakdown import roll_up
from callkit.breakdown.measures import ROOTS, TREES
from callkit.errors import FrameError
from callkit.schema import ARROW_TYPES
from tests.breakdown.synthetic import calls, in_plain_values

A, B, C, D, E, F = (f"CA{letter * 32}" for letter in "abcdef")


def trees_of(frame: pd.DataFrame) -> dict[str, tuple[str, int]]:
    rolled = roll_up(frame)
    columns = (rolled["root_sid"], rolled["root"], rolled["legs"])
    return {sid: (root, legs) for sid, root, legs in zip(*columns, strict=True)}


def family(*pairs: tuple[str, str | None]) -> pd.DataFrame:
    return calls(*[{"sid": sid, "parent_call_sid": parent} for sid, parent in pairs])


def test_a_case_worked_by_hand() -> None:
    frame = calls(
        # rung for a minute, it dialled twice: nobody was there, then somebody was
        {"sid": A, "start": "2025-03-01T09:00:00+00:00", "end": "2025-03-01T09:05:00+00:00"}
        | {"duration": "300", "price": "-0.0425"},
        {
            "sid": B,
            "parent_call_sid": A,
            "start": "2025-03-01T09:00:10+00:00",
            "status": "no-answer",
        }
        | {"end": "2025-03-01T09:00:40+00:00", "duration": "0", "price": None},
        {"sid": C, "parent_call_sid": A, "start": "2025-03-01T09:00:41+00:00"}
        | {"end": "2025-03-01T09:05:00+00:00", "duration": "259", "price": None},
        # still up; the leg that it dialled is billed elsewhere, and was given back
        {"sid": D, "start": "2025-03-01T08:00:00+00:00", "status": "in-progress"},
        {"sid": E, "parent_call_sid": D, "start": "2025-03-01T08:00:05+00:00", "price": "0.5"}
        | {"end": "2025-03-01T08:01:05+00:00", "duration": "60", "price_unit": "EUR"},
        # never started
        {"sid": F, "status": "canceled", "duration": "0"},
    )
    assert in_plain_values(roll_up(frame)) == [
        # in dollars the tree of D has the live leg only: no end, no price
        (D, "USD", "present", 1, 0, 0.0, 0, 0, None, "2025-03-01T08:00:00+00:00", None),
        (
            D,
            "EUR",
            "present",
            1,
            1,
            60.0,
            1,
            0,
            "-0.5",
            "2025-03-01T08:00:05+00:00",
            "2025-03-01T08:01:05+00:00",
        ),
        # A: 300 s + 259 s talked; C completed and has no price yet
        (
            A,
            "USD",
            "present",
            3,
            2,
            559.0,
            1,
            1,
            "0.0425",
            "2025-03-01T09:00:00+00:00",
            "2025-03-01T09:05:00+00:00",
        ),
        (F, "USD", "present", 1, 0, 0.0, 0, 0, None, None, None),
    ]


def test_chains_are_followed_through_the_generations() -> None:
    frame = family((D, C), (C, B), (A, None), (B, A), (F, None), (E, D))
    assert trees_of(frame) == {A: ("present", 5), F: ("present", 1)}


def test_a_parent_that_is_not_in_the_frame_is_the_highest_known() -> None:
    frame = family((B, A), (C, A), (D, C), (F, E))
    assert trees_of(frame) == {A: ("absent", 3), E: ("absent", 1)}


@pytest.mark.parametrize(
    "pairs",
    [
        [(A, A)],
        [(A, B), (B, A)],
        [(C, B), (A, C), (B, A)],
        [(C, B), (A, C), (B, A), (D, B), (E, D), (F, B)],  # with legs below the circle
        [(A, B), (B, C), (C, D), (D, A), (E, C)],
    ],
)
def test_calls_that_are_one_anothers_parents_are_one_tree_without_a_root(
    pairs: list[tuple[str, str | None]],
) -> None:
    assert trees_of(family(*pairs)) == {A: ("none", len(pairs))}


def test_a_circle_leaves_other_trees_alone() -> None:
    frame = family((A, B), (B, A), (C, None), (D, C), (F, E))
    assert trees_of(frame) == {A: ("none", 2), C: ("present", 2), E: ("absent", 1)}


@given(
    up=st.lists(st.none() | st.integers(0, 24), min_size=1, max_size=20), seed=st.integers(0, 99)
)
def test_every_call_is_in_the_tree_that_climbing_leads_to(up: list[int | None], seed: int) -> None:
    sids = [f"CA{n:032x}" for n in range(25)]
    frame = family(*[(sids[n], None if p is None else sids[p]) for n, p in enumerate(up)])

    expected: dict[str, tuple[str, int]] = {}
    for n in range(len(up)):
        seen: list[int] = []
        here, kind = n, "present"
        while (above := up[here] if here < len(up) else None) is not None and here not in seen:
            seen.append(here)
            here = above
        if here in seen:
            kind, here = "none", min(seen[seen.index(here) :])
        elif here >= len(up):
            kind = "absent"
        expected[sids[here]] = (kind, expected.get(sids[here], ("", 0))[1] + 1)

    assert trees_of(frame.sample(frac=1, random_state=seed)) == expected


def test_a_long_chain_takes_few_rounds() -> None:
    sids = [f"CA{n:032x}" for n in range(3_000)]
    frame = family(*zip(sids, [None, *sids[:-1]], strict=True))
    assert trees_of(frame) == {sids[0]: ("present", 3_000)}


def test_a_frame_in_several_chunks_is_one() -> None:
    frame = family((A, None), (B, A), (C, B), (E, D))
    chunks = pd.concat([frame[2:], frame[:2]])
    pd.testing.assert_frame_equal(roll_up(chunks), roll_up(frame))


def test_trees_add_up_to_the_calls() -> None:
    frame = calls(*[{"price": f"-{n}", "parent_call_sid": A if n % 3 else None} for n in range(9)])
    rolled = roll_up(frame)
    assert rolled["legs"].sum() == 9
    assert rolled["cost"].sum() == sum(range(9))


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_dtypes_do_not_depend_on_the_calls(rows: int) -> None:
    rolled = roll_up(family((A, None), (B, A), (D, C))[:rows])
    arrow = pa.Table.from_pandas(rolled[[column.name for column in TREES]], preserve_index=False)
    kinds = [kind for kind in arrow.schema.types if not pa.types.is_dictionary(kind)]
    wanted = [ARROW_TYPES[column.kind] for column in TREES if not column.vocabulary]
    assert [str(kind).removeprefix("large_") for kind in kinds] == list(map(str, wanted))
    assert rolled["root"].cat.categories.tolist() == list(ROOTS)
    assert rolled["price_unit"].dtype == "str"


def test_a_call_without_a_sid_is_refused() -> None:
    with pytest.raises(FrameError, match="calls without a SID, .*: 1"):
        roll_up(family((A, None)).assign(sid=None))


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(FrameError, match="'parent_call_sid' has dtype .*: expected Call SIDs"):
        roll_up(family((A, None)).assign(parent_call_sid=pd.Series([np.array([1])])))


def test_a_call_that_stands_twice_is_refused() -> None:
    with pytest.raises(FrameError, match=f"1 SID occurs more than once \\(for example {A}"):
        roll_up(pd.concat([family((A, None))] * 2))
