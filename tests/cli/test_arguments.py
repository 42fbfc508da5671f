from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from callkit.cli.arguments import age, number, seconds

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("12h", timedelta(hours=12)),
        ("90d", timedelta(days=90)),
        ("4w", timedelta(weeks=4)),
        ("99999w", timedelta(weeks=99_999)),
    ],
)
def test_an_age_is_hours_days_or_weeks(text: str, length: timedelta) -> None:
    assert age(text) == length


@pytest.mark.parametrize(
    "text", ["", "90", "d", "0d", "-1d", "1.5d", "90 d", "3y", "100000d", "٣d"]
)
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (argparse says what is wrong)
        age(text)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (number(0, 65_535), "65536"),
        (number(1), "-1"),
        (number(1), "1.5"),
        (seconds, "nan"),
        (seconds, "-1"),
        (seconds, "3601"),
    ],
)
def test_numbers_out_of_bounds_are_refused(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (argparse says what is wrong)
        read(text)
