"""Chance repeats exactly, and is spread as it was asked to be."""

from collections import Counter
from statistics import median

import pytest

from callkit.sandbox.draws import Draws, Mix


@pytest.fixture
def draws() -> Draws:
    return Draws(b"key", b"subject")


def test_the_same_subject_draws_the_same_numbers(draws: Draws) -> None:
    again = Draws(b"key", b"subject")
    assert [draws.word() for _ in range(100)] == [again.word() for _ in range(100)]


def test_another_subject_draws_other_numbers(draws: Draws) -> None:
    assert draws.word() != Draws(b"key", b"other").word()


def test_numbers_do_not_repeat_when_the_first_hash_is_used_up(draws: Draws) -> None:
    assert len({draws.word() for _ in range(1000)}) == 1000


def test_between_reaches_both_ends_and_no_further(draws: Draws) -> None:
    assert {draws.between(3, 6) for _ in range(200)} == {3, 4, 5, 6}


def test_a_mix_gives_each_value_its_share(draws: Draws) -> None:
    mix = Mix({"often": 9, "seldom": 1})
    counts = Counter(draws.from_mix(mix) for _ in range(10_000))
    assert counts["seldom"] == pytest.approx(1000, rel=0.1)


def test_a_mix_covers_every_share() -> None:
    mix = Mix({"first": 1, "second": 1})
    assert [mix.at(share) for share in (0.0, 0.499, 0.5, 0.999999)] == [
        "first",
        "first",
        "second",
        "second",
    ]


def test_a_long_tail_has_its_median_and_a_mean_far_above(draws: Draws) -> None:
    values = [draws.long_tailed(60, 1.0) for _ in range(10_000)]
    assert median(values) == pytest.approx(60, rel=0.05)
    assert sum(values) / len(values) > 90


def test_hexadecimal_digits_are_as_many_as_asked_for(draws: Draws) -> None:
    digits = draws.hexadecimal(32)
    assert len(digits) == 32
    assert set(digits) <= set("0123456789abcdef")
