"""Some thousand damaged inputs of each kind; ``make fuzz`` tries a million."""

from __future__ import annotations

import random

import pytest

from callkit.schema import SCHEMA
from tests.fuzz.bodies import check_row
from tests.fuzz.campaign import run
from tests.fuzz.damage import damaged
from tests.fuzz.planted import Planted
from tests.fuzz.worker import input_of

pytestmark = pytest.mark.slow

_SEED = 1


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("bodies", 20_000),
        ("list pages", 3_000),
        ("Bulk Export files", 1_000),
        ("dates", 3_000),
        ("SID lists", 3_000),
        ("Parquet files", 500),
        ("cache files", 500),
        ("command lines", 400),
    ],
)
def test_each_gives_a_result_or_a_documented_error(name: str, inputs: int) -> None:
    report = run(name, _SEED, inputs)
    assert report.finds == {}
    assert report.outcomes.total() == inputs
    assert 0 < report.outcomes["result"] < inputs


def test_what_is_undocumented_crashes_or_hangs_is_found() -> None:
    seed = 138  # draws each of what goes wrong, once
    given = [input_of(Planted(), "planted", seed, number) for number in range(7)]
    report = run("planted", seed, 7, longest=2)
    found = {number: find.partition(":")[0] for number, find in report.finds.items()}
    wrong = {3: "KeyError", 7: "exit -6", 9: "exit 1"}
    assert found == {number: wrong[it] for number, it in enumerate(given) if it in wrong}
    assert len(found) == 3
    assert report.outcomes == {"NoResult": 1, "result": 3}


def test_a_row_that_is_wrong_is_found() -> None:
    with pytest.raises(AssertionError, match="from"):
        check_row({**dict.fromkeys(SCHEMA.names), "from": "+1"}, b'{"from": "+2"}')


def test_damage_is_the_same_each_time_and_spares_some() -> None:
    samples = [damaged(random.Random(seed), b"x" * 50, [b"word"]) for seed in range(400)]
    assert samples == [damaged(random.Random(seed), b"x" * 50, [b"word"]) for seed in range(400)]
    assert 0 < samples.count(b"x" * 50) < 60
    assert len(set(samples)) > 300
