from __future__ import annotations

import pandas as pd
import pytest

from callkit.normaliser.casts import failures_frame
from callkit.outcomes import REASONS, Failure

FAILURE = Failure(
    *("CA" + "0" * 32, "AC" + "0" * 32, "http_error", "odd", 418, 20001, "RQ0"),
    attempts=2,
    day="2025-03-01",
)
NAMELESS = Failure(None, None, "bad_response", "body 1: is no JSON")


def test_a_row_says_all_of_its_failure() -> None:
    [row] = failures_frame([FAILURE]).to_dict("records")
    assert Failure(**row) == FAILURE  # type: ignore[arg-type]  # pandas names rows by Hashable


def test_what_nobody_knows_is_null() -> None:
    frame = failures_frame([NAMELESS])
    unknown = frame.columns[frame.isna().all()].tolist()
    assert unknown == ["sid", "account_sid", "http_status", "code", "request_id", "day"]


@pytest.mark.parametrize("failures", [[], [FAILURE], [NAMELESS], [FAILURE, NAMELESS]])
def test_the_dtypes_are_the_same_however_many_and_whatever_is_null(
    failures: list[Failure],
) -> None:
    frame = failures_frame(failures)
    assert len(frame) == len(failures)
    assert frame.dtypes.astype(str).to_dict() == {
        "sid": "str",
        "account_sid": "str",
        "reason": "category",
        "message": "str",
        "http_status": "Int64",
        "code": "Int64",
        "request_id": "str",
        "attempts": "int64",
        "day": "str",
    }


def test_reasons_are_categories_of_one_list() -> None:
    frames = [failures_frame([FAILURE]), failures_frame([NAMELESS])]
    together = pd.concat(frames, ignore_index=True)
    assert together["reason"].cat.categories.tolist() == list(REASONS)
