from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal

from callkit.normaliser import normalise, table_to_frame, to_table
from callkit.schema import SCHEMA
from tests.normaliser.calls import body, numbered


def test_tables_put_together_are_as_one() -> None:
    sent = [body(sid=numbered(n), status=f"new {n % 3}", to=None) for n in range(6)]
    tables = [to_table(sent[:2])[0], to_table([])[0], to_table(sent[2:])[0]]
    assert_frame_equal(table_to_frame(pa.concat_tables(tables)), normalise(sent))


@pytest.mark.parametrize("name", SCHEMA.names)
def test_one_column_has_the_dtype_that_it_has_among_all(name: str) -> None:
    sent = [body(), b'{"sid": "%s"}' % numbered(1).encode()]
    table, _ = to_table(sent)
    assert_frame_equal(table_to_frame(table.select([name])), normalise(sent)[[name]])


def test_frames_of_different_calls_concatenate_without_a_dtype_changing() -> None:
    frames = [
        normalise([]),
        normalise([b'{"sid": "%s"}' % numbered(1).encode()]),
        normalise([body()]),
    ]
    together = pd.concat(frames, ignore_index=True)
    assert list(together.dtypes) == list(frames[0].dtypes)


def test_any_decimal_is_exact() -> None:
    cost = pa.array([Decimal("0.1"), None]).cast(pa.decimal128(38, 8))
    frame = table_to_frame(pa.table({"cost": cost, "calls": pa.array([1, 2])}))
    assert frame["cost"].sum() == Decimal("0.1")
    assert frame.dtypes.astype(str).tolist() == ["decimal128(38, 8)[pyarrow]", "int64"]


def test_durations_that_are_not_the_schemas_keep_their_unit() -> None:
    units = {"mine": "us", "duration": "s"}
    table = pa.table({name: pa.array([1], pa.duration(unit)) for name, unit in units.items()})
    frame = table_to_frame(table)
    assert frame.dtypes.astype(str).tolist() == ["timedelta64[us]", "timedelta64[ms]"]


def test_a_mean_duration_is_not_truncated() -> None:
    frame = normalise([body(sid=numbered(n), duration=str(s)) for n, s in enumerate((1, 2, 2))])
    assert frame["duration"].mean() == pd.Timedelta("1.666666666s").floor("ms")


@pytest.mark.parametrize("said", ['{"index_columns": ["sid"], "columns": []}', "{", b"\xff"])
def test_metadata_of_another_frame_is_not_believed(said: str | bytes) -> None:
    table, _ = to_table([body()])
    lying = table.replace_schema_metadata({"pandas": said})
    assert_frame_equal(table_to_frame(lying), normalise([body()]))
