"""What Apache Spark makes of our files: one session for all, since starting it takes seconds."""

from __future__ import annotations

import os
import shutil
import signal
import warnings
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import callkit
from tests.documents import ROOT, blocks_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

pytest.importorskip("pyspark", reason="Spark is not installed: pip install pyspark")
if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
    pytest.skip("Spark needs Java, which is not there", allow_module_level=True)

pytestmark = pytest.mark.slow

SETTINGS = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.session.timeZone": "Asia/Kolkata",  # what is an instant does not move with it
    "spark.sql.shuffle.partitions": "1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    handler = signal.getsignal(signal.SIGINT)  # a session sets its own, and leaves it behind
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it is not sure of pandas 3 yet
        from pyspark.sql import SparkSession  # noqa: PLC0415

        builder = SparkSession.builder.master("local[1]")
        for key, value in SETTINGS.items():
            builder = builder.config(key, value)
        warehouse = str(tmp_path_factory.mktemp("warehouse"))
        session = builder.config("spark.sql.warehouse.dir", warehouse).getOrCreate()
    yield session
    session.stop()
    signal.signal(signal.SIGINT, handler)


@pytest.fixture
def dataset(calls: pd.DataFrame, tmp_path: Path) -> Path:
    folder = tmp_path / "calls"
    callkit.to_parquet(calls, folder, by_month=True)
    return folder


def types(frame: DataFrame) -> dict[str, str]:
    return dict(frame.dtypes)


def in_spark(frame: DataFrame, names: Sequence[str]) -> dict[str, list[Any]]:
    """Collect columns; instants as microseconds, since Python's would be in local time."""
    is_instant = {name for name, kind in frame.dtypes if kind == "timestamp"}
    held = [f"unix_micros(`{name}`)" if name in is_instant else f"`{name}`" for name in names]
    rows = frame.selectExpr(*held).collect()
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def in_pandas(frame: pd.DataFrame, units: Mapping[str, str | None]) -> dict[str, list[Any]]:
    """List the values of columns; instants and durations as whole numbers of their unit."""
    return {name: _plain(frame[name], unit) for name, unit in units.items()}


def _plain(values: pd.Series[Any], unit: str | None) -> list[Any]:
    whole = values if unit is None else values.dt.as_unit(unit).astype("int64")
    plain = zip(whole.tolist(), values.isna(), strict=True)
    return [None if absent else value for value, absent in plain]


def test_a_file_of_calls_opens_with_the_right_types(
    spark: SparkSession, calls: pd.DataFrame, path: Path
) -> None:
    callkit.to_parquet(calls, path)
    opened = types(spark.read.parquet(str(path)))
    assert list(opened) == list(calls.columns)
    assert opened.pop("price") == "decimal(18,8)"
    assert [opened.pop(name) for name in ("duration", "queue_time")] == ["bigint", "bigint"]
    times = ("date_created", "date_updated", "start_time", "end_time")
    assert [opened.pop(name) for name in times] == ["timestamp"] * 4
    assert set(opened.values()) == {"string"}


def test_a_file_of_calls_opens_with_the_right_values(
    spark: SparkSession, calls: pd.DataFrame, path: Path
) -> None:
    callkit.to_parquet(calls, path)
    frame = spark.read.parquet(str(path))
    units = {
        **dict.fromkeys(["sid", "price", "status", "direction", "to", "subresource_uris"]),
        "duration": "s",
        "queue_time": "ms",
        "start_time": "us",
        "end_time": "us",
    }
    assert in_spark(frame, list(units)) == in_pandas(calls, units)


def test_prices_sum_exactly(spark: SparkSession, calls: pd.DataFrame, path: Path) -> None:
    callkit.to_parquet(calls, path)
    [[total]] = spark.read.parquet(str(path)).selectExpr("sum(price)").collect()
    assert total == calls["price"].sum()


def test_a_breakdown_opens_with_the_right_meanings(
    spark: SparkSession, calls: pd.DataFrame, path: Path
) -> None:
    cost = callkit.cost_breakdown(calls, by="status", freq="D", tz="Europe/Berlin")
    callkit.to_parquet(cost, path)
    frame = spark.read.parquet(str(path))
    assert types(frame)["cost"] == "decimal(18,8)"
    units = {
        **dict.fromkeys(["status", "price_unit", "calls", "cost", "billed_minutes"]),
        "period": "us",
        "unpriced_duration": "ms",
    }
    assert in_spark(frame, list(units)) == in_pandas(cost, units)


def test_a_dataset_opens_with_its_months_as_text(
    spark: SparkSession, calls: pd.DataFrame, dataset: Path
) -> None:
    frame = spark.read.parquet(str(dataset))
    assert types(frame)["month"] == "string"
    months = calls["start_time"].dt.strftime("%Y-%m").fillna("none")
    in_months = in_spark(frame, ["sid", "month"])
    assert dict(zip(*in_months.values(), strict=True)) == dict(
        zip(calls["sid"], months, strict=True)
    )


def test_one_month_is_read_from_its_file_alone(spark: SparkSession, dataset: Path) -> None:
    march = spark.read.parquet(str(dataset)).where("month = '2025-03'")
    [[path]] = march.selectExpr("input_file_name()").distinct().collect()
    assert path.endswith("calls/month=2025-03/part-0.parquet")


def test_sparks_copy_is_read_as_the_dataset_itself(
    spark: SparkSession, dataset: Path, tmp_path: Path
) -> None:
    frame = spark.read.parquet(str(dataset))
    frame.write.partitionBy("month").parquet(str(tmp_path / "copy"))
    copy, calls = callkit.read_parquet(tmp_path / "copy"), callkit.read_parquet(dataset)
    pd.testing.assert_frame_equal(copy[calls.columns.tolist()], calls)


def test_what_the_documentation_says_runs(spark: SparkSession, dataset: Path) -> None:
    (block,) = (b for b in blocks_of(ROOT / "docs" / "parquet.md") if "pyspark" in b.text)
    namespace: dict[str, Any] = {}
    exec(block.text.replace('"calls"', repr(str(dataset))), namespace)  # Java keeps its own folder
    assert "month" in namespace["calls"].columns
