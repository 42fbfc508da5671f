from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import callkit
from callkit.errors import ParquetError
from callkit.schema import SCHEMA
from tests.support.scripted import call_body, sid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COUNTS = {"calls_asked", "calls_got", "calls_failed"}
ABSENT = callkit.normalise([call_body(sid(1))])


@pytest.fixture
def dataset(calls: pd.DataFrame, tmp_path: Path) -> Path:
    folder = tmp_path / "calls"
    callkit.to_parquet(calls, folder, by_month=True)
    return folder


def month_by_month(calls: pd.DataFrame) -> pd.DataFrame:
    months = calls["start_time"].dt.strftime("%Y-%m").fillna("none")
    ordered: pd.DataFrame = calls.iloc[months.argsort(kind="stable")]
    return ordered.reset_index(drop=True)


def test_chosen_columns_come_in_the_order_asked_for(calls: pd.DataFrame, path: Path) -> None:
    callkit.to_parquet(calls, path)
    df = callkit.read_parquet(path, columns=["price", "sid"])
    pd.testing.assert_frame_equal(df, calls[["price", "sid"]])


def test_a_file_keeps_its_order_which_was_alphabetical_once(
    calls: pd.DataFrame, tmp_path: Path
) -> None:
    old = calls[sorted(SCHEMA.names)]
    callkit.to_parquet(old, tmp_path / "1.parquet")
    callkit.to_parquet(calls, tmp_path / "2.parquet")
    pd.testing.assert_frame_equal(callkit.read_parquet(tmp_path / "1.parquet"), old)
    together = pd.concat([old, old], ignore_index=True)
    pd.testing.assert_frame_equal(callkit.read_parquet(tmp_path), together, check_categorical=False)


@pytest.mark.parametrize("footer", ["{", "[]", b"\xff"])
def test_a_damaged_footer_is_told_in_one_sentence(path: Path, footer: str | bytes) -> None:
    pq.write_table(pa.table({"sid": ["a"]}).replace_schema_metadata({"callkit": footer}), path)
    with pytest.raises(ParquetError, match="is damaged: .* is not a JSON object"):
        callkit.read_parquet(path)


@pytest.mark.parametrize("columns", [None, ["sid"], "sid"])
def test_a_file_with_a_column_twice_is_refused(path: Path, columns: list[str] | None) -> None:
    pq.write_table(pa.table([pa.array(["a"]), pa.array(["b"])], names=["sid", "sid"]), path)
    with pytest.raises(ParquetError, match="Duplicate column names in .*: 'sid'"):
        callkit.read_parquet(path, columns=columns)


def test_one_column_may_be_named_alone(calls: pd.DataFrame, path: Path) -> None:
    callkit.to_parquet(calls, path)
    pd.testing.assert_frame_equal(callkit.read_parquet(path, columns="sid"), calls[["sid"]])


def test_a_path_with_nul_is_told_in_one_sentence() -> None:
    with pytest.raises(ParquetError, match="a path cannot contain a NUL character"):
        callkit.read_parquet("a\0b.parquet")


def test_reading_what_is_not_there_or_no_parquet_is_told_in_one_sentence(path: Path) -> None:
    with pytest.raises(ParquetError, match="cannot be read: No such file"):
        callkit.read_parquet(path)
    path.write_bytes(b"no parquet at all")
    with pytest.raises(ParquetError, match="is not a Parquet file"):
        callkit.read_parquet(path)


def test_a_missing_column_is_named_beside_those_there_are(path: Path) -> None:
    callkit.to_parquet(ABSENT, path)
    with pytest.raises(
        ParquetError, match="has no column 'cost'. Available columns: sid, start_time, "
    ):
        callkit.read_parquet(path, columns=["cost"])


def test_a_dataset_comes_back_month_by_month(calls: pd.DataFrame, dataset: Path) -> None:
    read = callkit.read_parquet(dataset)
    pd.testing.assert_frame_equal(read, month_by_month(calls))
    assert read["start_time"].isna().any()
    assert read.attrs == calls.attrs


def test_chosen_columns_of_a_dataset_come_in_the_order_asked_for(
    calls: pd.DataFrame, dataset: Path
) -> None:
    df = callkit.read_parquet(dataset, columns=["price", "sid"])
    pd.testing.assert_frame_equal(df, month_by_month(calls)[["price", "sid"]])


def test_the_month_is_no_column(dataset: Path) -> None:
    with pytest.raises(
        ParquetError, match="part-0.parquet' has no column 'month'. Available columns: "
    ):
        callkit.read_parquet(dataset, columns="month")


def test_a_dataset_of_no_calls_has_all_columns(tmp_path: Path) -> None:
    calls = callkit.normalise([])
    callkit.to_parquet(calls, tmp_path / "calls", by_month=True)
    pd.testing.assert_frame_equal(callkit.read_parquet(tmp_path / "calls"), calls)


def test_unlisted_categories_of_several_months_are_all_kept(tmp_path: Path) -> None:
    bodies = [
        call_body(sid(1), status="frozen", start_time="Wed, 01 Jan 2025 00:00:00 +0000"),
        call_body(sid(2), status="thawed", start_time="Sat, 01 Feb 2025 00:00:00 +0000"),
    ]
    callkit.to_parquet(callkit.normalise(bodies), tmp_path / "calls", by_month=True)
    read = callkit.read_parquet(tmp_path / "calls")
    assert read["status"].tolist() == ["frozen", "thawed"]


def test_the_files_of_a_folder_come_one_after_the_other(
    calls: pd.DataFrame, tmp_path: Path
) -> None:
    callkit.to_parquet(calls.tail(10), tmp_path / "b.parquet")
    callkit.to_parquet(calls.head(5), tmp_path / "a.parquet")
    (tmp_path / "a.failures.csv").write_text("sid\n")
    read = callkit.read_parquet(tmp_path)
    expected = pd.concat([calls.head(5), calls.tail(10)], ignore_index=True)
    pd.testing.assert_frame_equal(read, expected)


def said_by(df: pd.DataFrame) -> set[str]:
    return set(df.attrs["callkit"])


@pytest.mark.parametrize("columns", [None, ["price"], "sid"])
def test_a_whole_dataset_says_how_many_calls_it_has(
    calls: pd.DataFrame, dataset: Path, columns: list[str] | str | None
) -> None:
    assert callkit.read_parquet(dataset, columns=columns).attrs == calls.attrs


@pytest.mark.parametrize("columns", [None, ["price"], "sid"])
def test_one_month_does_not_say_how_many_calls_its_dataset_has(
    dataset: Path, columns: list[str] | str | None
) -> None:
    read = callkit.read_parquet(dataset / "month=2025-01" / "part-0.parquet", columns=columns)
    assert said_by(read) == {"version", "as_of_first", "as_of_last"}


def test_a_dataset_that_lacks_a_month_does_not_say_how_many_calls_it_had(dataset: Path) -> None:
    shutil.rmtree(dataset / "month=2025-01")
    assert not COUNTS & said_by(callkit.read_parquet(dataset))


def test_two_exports_of_as_many_calls_do_not_say_the_count_of_one(tmp_path: Path) -> None:
    for name in "ab":
        df = ABSENT.copy()
        df.attrs["callkit"] = {"calls_asked": 1, "calls_got": 1, "calls_failed": 0, "tz": "UTC"}
        callkit.to_parquet(df, tmp_path / f"{name}.parquet")
    read = callkit.read_parquet(tmp_path)
    assert read.attrs == {"callkit": {"version": callkit.__version__, "tz": "UTC"}}


def test_what_the_files_of_a_folder_say_differently_is_left_out(tmp_path: Path) -> None:
    for name, version in {"a": "1.0", "b": "2.0"}.items():
        df = ABSENT.copy()
        df.attrs["callkit"] = {"version": version, "tz": "UTC"}
        callkit.to_parquet(df, tmp_path / f"{name}.parquet")
    assert callkit.read_parquet(tmp_path).attrs == {"callkit": {"tz": "UTC"}}


@pytest.mark.parametrize(
    ("said", "outermost"),
    [
        (
            [("2025-03-02T09:00:00+00:00",) * 2, ("2025-03-02T09:30:00+01:00",) * 2],
            {"as_of_first": "2025-03-02T09:30:00+01:00", "as_of_last": "2025-03-02T09:00:00+00:00"},
        ),
        (
            [(None, None), ("2025-03-02T09:00:00+00:00", "2025-03-03T09:00:00+00:00")],
            {"as_of_first": "2025-03-02T09:00:00+00:00", "as_of_last": "2025-03-03T09:00:00+00:00"},
        ),
        ([(None, None)] * 2, {"as_of_first": None, "as_of_last": None}),
        ([("once", 5), ("2025-03-02", 5)], {"as_of_first": None, "as_of_last": None}),
    ],
    ids=["by the clock", "of one only", "of none", "of somebody else"],
)
def test_files_of_a_folder_are_as_of_their_earliest_and_latest_call(
    tmp_path: Path, said: list[tuple[object, object]], outermost: dict[str, str | None]
) -> None:
    for number, instants in enumerate(said):
        df = ABSENT.copy()
        df.attrs["callkit"] = dict(zip(outermost, instants, strict=True))
        callkit.to_parquet(df, tmp_path / f"{number}.parquet")
    attributes = {"version": callkit.__version__, **outermost}
    assert callkit.read_parquet(tmp_path).attrs == {"callkit": attributes}


def test_a_breakdown_says_what_it_covers_and_several_do_not(
    calls: pd.DataFrame, tmp_path: Path
) -> None:
    cost = callkit.cost_breakdown(calls, "direction")
    callkit.to_parquet(cost, tmp_path / "a.parquet")
    assert callkit.read_parquet(tmp_path).attrs == cost.attrs
    callkit.to_parquet(cost, tmp_path / "b.parquet")
    said = said_by(callkit.read_parquet(tmp_path))
    assert said == {"version", "as_of_first", "as_of_last", "tz"}


def test_of_files_one_of_which_says_nothing_nothing_is_said(tmp_path: Path) -> None:
    callkit.to_parquet(ABSENT, tmp_path / "b.parquet")
    pq.write_table(pq.read_table(tmp_path / "b.parquet", schema=SCHEMA), tmp_path / "a.parquet")
    assert callkit.read_parquet(tmp_path).attrs == {"callkit": {}}


def test_what_other_tools_leave_beside_their_data_is_passed_over(
    calls: pd.DataFrame, dataset: Path
) -> None:
    (dataset / "_SUCCESS").touch()
    (dataset / "month=none" / ".part-0.parquet.crc").write_bytes(b"crc")
    assert len(callkit.read_parquet(dataset)) == len(calls)


def _with_note(dataset: Path) -> None:
    (dataset / "month=none" / "notes.txt").write_text("mine")


def _with_file_above(dataset: Path) -> None:
    callkit.to_parquet(ABSENT, dataset / "more.parquet")


def _with_folder_below(dataset: Path) -> None:
    (dataset / "month=none" / "more").mkdir()


def _with_copy_of_a_month(dataset: Path) -> None:
    shutil.copytree(dataset / "month=2025-01", dataset / "month=2025-01 (1)")


def _with_file_as_month(dataset: Path) -> None:
    (dataset / "month=2099-01").write_text("mine")


def _without_price(dataset: Path) -> None:
    callkit.to_parquet(ABSENT.drop(columns="price"), dataset / "month=none" / "part-0.parquet")


def _with_more(dataset: Path) -> None:
    callkit.to_parquet(ABSENT.assign(mine=1), dataset / "month=none" / "part-0.parquet")


def _with_floats(dataset: Path) -> None:
    table = pa.table(
        [[0.5] if name == "price" else pa.nulls(1) for name in SCHEMA.names], SCHEMA.names
    )
    pq.write_table(table, dataset / "month=none" / "part-0.parquet")


def _cut_short(dataset: Path) -> None:
    part = dataset / "month=none" / "part-0.parquet"
    part.write_bytes(part.read_bytes()[:-10])


def _overwritten(dataset: Path) -> None:
    part = dataset / "month=2025-01" / "part-0.parquet"
    content = bytearray(part.read_bytes())
    content[4:2000] = bytes(1996)
    part.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_with_note, "notes.txt' is not a Parquet file"),
        (_with_file_above, "is a dataset by month, but contains 'more.parquet'"),
        (
            _with_copy_of_a_month,
            r"2025-01 \(1\)': expected only folders named month=",
        ),
        (_with_folder_below, "more' cannot be read: Is a directory"),
        (_with_file_as_month, "Cannot read .*: Not a directory"),
        (
            _without_price,
            "part-0.parquet' has no column 'price'. Available columns: sid, start_time",
        ),
        (_with_more, "part-0.parquet' has a column 'mine' that .*2025-01/part-0.parquet' does not"),
        (_with_floats, "part-0.parquet' cannot be read: Column 'price' of type double"),
        (_cut_short, "part-0.parquet' is not a Parquet file"),
        (_overwritten, "2025-01/part-0.parquet' cannot be read: "),
    ],
)
def test_one_file_that_does_not_belong_spoils_a_dataset(
    dataset: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    spoil(dataset)
    with pytest.raises(ParquetError, match=sentence) as caught:
        callkit.read_parquet(dataset)
    assert "\n" not in str(caught.value)


def test_files_of_a_folder_that_hold_different_things_are_refused(tmp_path: Path) -> None:
    callkit.to_parquet(pd.DataFrame({"x": [1]}), tmp_path / "a.parquet")
    callkit.to_parquet(pd.DataFrame({"x": ["one"]}), tmp_path / "b.parquet")
    with pytest.raises(ParquetError, match="'x' is string in .*b.parquet', but int64"):
        callkit.read_parquet(tmp_path)


def test_a_folder_without_parquet_files_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ParquetError, match="contains no Parquet files"):
        callkit.read_parquet(tmp_path)


def test_the_ending_of_a_file_may_be_in_capitals(tmp_path: Path) -> None:
    for name in ("a.parquet", "b.PARQUET"):
        callkit.to_parquet(ABSENT, tmp_path / name)
    assert len(callkit.read_parquet(tmp_path)) == 2


@pytest.mark.parametrize(
    ("name", "named"), [("d.parq", "d.parq"), ("d.PQ", "d.PQ"), ("2024/d.parquet", "2024")]
)
def test_calls_in_a_folder_that_would_not_be_read_are_refused(
    tmp_path: Path, name: str, named: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    for path in ("a.parquet", name):
        callkit.to_parquet(ABSENT, tmp_path / path)
    with pytest.raises(ParquetError, match=f"'{named}', which would not be read: .* elsewhere"):
        callkit.read_parquet(tmp_path)


def test_folders_that_are_hidden_are_passed_over(tmp_path: Path) -> None:
    for name in (".git", "_temporary"):
        (tmp_path / name).mkdir()
    callkit.to_parquet(ABSENT, tmp_path / "a.parquet")
    assert len(callkit.read_parquet(tmp_path)) == 1


def test_the_files_of_a_month_may_be_named_as_spark_does(
    calls: pd.DataFrame, dataset: Path
) -> None:
    month = dataset / "month=2025-01"
    name = "part-00000-7c1d3f0e-5a4b-4a55-9d0c-0f8f6f3f8a11.c000.snappy.parquet"
    (month / "part-0.parquet").rename(month / name)
    pd.testing.assert_frame_equal(callkit.read_parquet(dataset), month_by_month(calls))
