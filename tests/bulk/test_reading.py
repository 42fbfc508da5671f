"""Bulk Export files → DataFrame: what a fetch would return; faults named by file and line."""

from __future__ import annotations

import gzip
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import callkit
from callkit.errors import BulkExportError, IncompleteWarning, NormaliseError
from tests.bulk.records import bodies, record, record_of, text, write
from tests.normaliser.calls import numbered, steady

if TYPE_CHECKING:
    from callkit.sandbox import Sandbox

MIDNIGHT = datetime(2023, 3, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def sent() -> list[bytes]:
    return bodies(500)


def numbers(frame: pd.DataFrame) -> list[int]:
    return [int(sid.replace("CA", "0x"), 0) for sid in frame["sid"]]


def broken(path: Any) -> NormaliseError:
    with pytest.raises(NormaliseError) as caught:
        callkit.read_bulk_export(path)
    return caught.value


def messages(error: NormaliseError) -> list[str]:
    return error.failures["message"].tolist()


# The frame


@pytest.mark.parametrize("name", ["day.json.gz", "day.json"])
def test_the_frame_is_that_of_a_fetch_without_uris(
    sent: list[bytes], tmp_path: Path, name: str
) -> None:
    path = write(tmp_path / name, list(map(record_of, sent)))
    expected = callkit.normalise(sent)
    for missing in ("uri", "subresource_uris"):
        expected[missing] = pd.Series(None, expected.index, dtype="str")
    assert_frame_equal(callkit.read_bulk_export(path), expected)


def test_files_of_a_folder_follow_one_another(tmp_path: Path) -> None:
    write(tmp_path / "2023-03-15.json.gz", [record(2), record(1)])
    write(tmp_path / "2023-03-16.json", [record(3)])
    assert numbers(callkit.read_bulk_export(tmp_path)) == [2, 1, 3]


def test_many_records_stay_in_order(tmp_path: Path) -> None:
    write(tmp_path / "a.json.gz", [record(number) for number in range(12_000, 0, -1)])
    write(tmp_path / "b.json.gz", [record(number) for number in range(12_001, 20_000)])
    expected = [*range(12_000, 0, -1), *range(12_001, 20_000)]
    assert numbers(callkit.read_bulk_export(tmp_path)) == expected


def test_the_columns_asked_for_are_returned(tmp_path: Path) -> None:
    path = write(tmp_path / "day.json", [record(1)])
    frame = callkit.read_bulk_export(path, columns=["price", "sid"])
    assert list(frame.columns) == ["price", "sid"]


@pytest.mark.parametrize("content", [b"", b"\r\n \n"], ids=["empty", "blank"])
def test_files_without_a_record_are_no_calls(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "day.json").write_bytes(content)
    assert_frame_equal(callkit.read_bulk_export(tmp_path), callkit.normalise([]))


def test_a_file_from_windows_is_read(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + text([record(1), b"", record(2), b" "], end=b"\r\n")
    (tmp_path / "day.JSON.GZ").write_bytes(gzip.compress(content))
    assert numbers(callkit.read_bulk_export(tmp_path)) == [1, 2]


def test_counts_are_known_but_no_as_of_times(tmp_path: Path) -> None:
    write(tmp_path / "day.json", [record(1), record(2), record(1)])
    said = callkit.read_bulk_export(tmp_path).attrs["callkit"]
    assert said == {
        "version": callkit.__version__,
        "calls_asked": 2,
        "calls_got": 2,
        "calls_failed": 0,
        "as_of_first": None,
        "as_of_last": None,
        "files": 1,
        "files_failed": 0,
    }


def test_calls_without_a_price_can_be_fetched(sandbox: Sandbox, tmp_path: Path) -> None:
    client = sandbox.client()
    callkit.export(sandbox.sid_frame(300), tmp_path / "x.jsonl", format="jsonl", client=client)
    df = callkit.read_bulk_export(tmp_path)
    unpriced = df[df.price.isna()]
    assert 0 < len(unpriced) < len(df)
    fetched = callkit.to_frame(unpriced, client=client)
    assert fetched["sid"].tolist() == unpriced["sid"].tolist()
    assert fetched["account_sid"].tolist() == unpriced["account_sid"].tolist()


# Calls that have several records


def updated(number: int, minute: int | None, price: str) -> bytes:
    moment = None if minute is None else MIDNIGHT + timedelta(minutes=minute)
    return record(number, date_updated=moment and f"{moment:%Y-%m-%dT%H:%M:%SZ}", price=price)


def test_the_newest_record_counts_in_the_place_of_the_first(tmp_path: Path) -> None:
    write(tmp_path / "a.json", [updated(1, 5, "-1"), updated(2, 5, "-2"), updated(3, 5, "-3")])
    write(tmp_path / "b.json", [updated(3, 6, "-30"), updated(1, 4, "-10"), updated(4, 4, "-40")])
    df = callkit.read_bulk_export(tmp_path)
    assert numbers(df) == [1, 2, 3, 4]
    assert df["price"].tolist() == list(map(Decimal, ["-1", "-2", "-30", "-40"]))


def test_of_equally_new_records_the_last_one_counts(tmp_path: Path) -> None:
    write(tmp_path / "a.json", [updated(1, 5, "-1"), updated(1, 5, "-2")])
    assert callkit.read_bulk_export(tmp_path)["price"].tolist() == [Decimal(-2)]


def test_a_record_that_does_not_say_when_it_was_updated_is_the_oldest(tmp_path: Path) -> None:
    write(tmp_path / "a.json", [updated(1, 5, "-1"), updated(1, None, "-2")])
    assert callkit.read_bulk_export(tmp_path)["price"].tolist() == [Decimal(-1)]


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 3)), max_size=12),
        min_size=1,
        max_size=4,
    )
)
@steady
def test_every_call_is_there_once_however_often_it_was_exported(
    tmp_path_factory: pytest.TempPathFactory, days: list[list[tuple[int, int | None]]]
) -> None:
    folder = tmp_path_factory.mktemp("exports")
    newest: dict[int, tuple[int, int]] = {}  # minute and price of each call, by first mention
    price = 0
    for place, day in enumerate(days):
        records = []
        for number, minute in day:
            price += 1
            records.append(updated(number, minute, str(price)))
            known = -1 if minute is None else minute
            if number not in newest or newest[number][0] <= known:
                newest[number] = known, price
        write(folder / f"{place}.json", records)
    df = callkit.read_bulk_export(folder)
    found = dict(zip(numbers(df), map(int, df["price"]), strict=True))
    assert list(found.items()) == [(number, price) for number, (_, price) in newest.items()]


# What goes wrong


def test_lines_that_are_no_calls_are_named_and_the_others_kept(tmp_path: Path) -> None:
    lines = [record(1), b"", b"{", b"null", record(2, duration="a minute"), b'{"sid": "SM1"}']
    path = write(tmp_path / "day.json.gz", [*lines, record(3)])
    error = broken(path)
    assert numbers(error.frame) == [1, 3]
    assert error.failures["sid"].fillna("").tolist() == ["", "", "", numbered(2)]
    assert set(error.failures["reason"]) == {"bad_response"}
    expected = [
        f"{path}, line 3: the body is not JSON: ",
        f"{path}, line 4: the body is null, not a JSON object",
        f"{path}, line 6: sid: 'SM1' is not a Call SID",
        f"{path}, line 5: duration: 'a minute' is not a whole number of seconds",
    ]
    for message, begins in zip(messages(error), expected, strict=True):
        assert message.startswith(begins)


def test_the_message_counts_and_names_the_first(tmp_path: Path) -> None:
    path = write(tmp_path / "day.json", [record(1), b"null"])
    assert str(broken(path)) == (
        "1 failure: 1 bad_response, of 2 calls; the first: "
        f"{path}, line 2: the body is null, not a JSON object; after `except "
        "callkit.errors.NormaliseError as e`, e.frame holds the calls that were read and "
        "e.failures says why the others were not (errors='warn' warns instead)"
    )


def test_errors_warn_returns_what_could_be_read(tmp_path: Path) -> None:
    path = write(tmp_path / "day.json", [record(1), b"null"])
    with pytest.warns(IncompleteWarning, match="line 2: the body is null"):
        assert numbers(callkit.read_bulk_export(path, errors="warn")) == [1]


@pytest.mark.parametrize("order", [1, -1])
def test_a_broken_record_is_no_failure_where_another_is_valid(tmp_path: Path, order: int) -> None:
    valid, wrong = updated(1, 1, "-1"), updated(1, 2, "much")
    write(tmp_path / "day.json", [valid, wrong][::order])
    assert numbers(callkit.read_bulk_export(tmp_path)) == [1]


def test_a_call_whose_records_are_all_broken_fails_once(tmp_path: Path) -> None:
    path = write(tmp_path / "day.json", [record(2), *[record(1, price="much")] * 2])
    [message] = messages(broken(path))
    assert message.startswith(f"{path}, line 3: price: 'much'")


def test_a_truncated_file_costs_what_it_lacks_and_nothing_else(tmp_path: Path) -> None:
    whole = gzip.compress(text(record(number) for number in range(1_000)))
    (tmp_path / "a.json.gz").write_bytes(whole[: len(whole) // 2])
    write(tmp_path / "b.json.gz", [record(1_000)])
    error = broken(tmp_path)
    *truncated, last = numbers(error.frame)
    assert truncated == list(range(len(truncated)))
    assert len(truncated) > 300
    assert last == 1_000
    where = f"{tmp_path / 'a.json.gz'}, line {len(truncated) + 1}"
    [message] = messages(error)
    assert message == f"{where}: the compressed data ends too early: download the file again"
    assert error.frame.attrs["callkit"]["files_failed"] == 1
    assert error.frame.attrs["callkit"]["calls_failed"] == 0


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, [record(1)]) for name in ("a.json", "b.json")]
    asked = callkit.BulkExport(paths)
    paths[0].unlink()
    got = callkit.collect(asked)
    assert numbers(got.frame) == [1]
    [message] = got.failures["message"]
    assert message == f"{paths[0]}: the file cannot be opened: No such file or directory"


@pytest.mark.skipif(
    not Path("/proc/self/mem").exists(),
    reason="only Linux has /proc/self/mem, a file that can be opened but not read from its start",
)
def test_a_file_that_stops_to_be_readable_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").symlink_to("/proc/self/mem")
    write(tmp_path / "b.json", [record(1)])
    [message] = messages(broken([tmp_path / "a.json", tmp_path / "b.json"]))
    assert message == f"{tmp_path / 'a.json'}: the file cannot be read: Input/output error"


def test_a_full_disk_ends_the_run(tmp_path: Path) -> None:
    code = """
import resource, signal, sys, callkit
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
callkit.read_bulk_export(sys.argv[1])
"""
    path = write(tmp_path / "day.json.gz", [record(number) for number in range(40_000)])
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "OSError" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("errors", ["raise", "warn"])
def test_it_is_an_error_if_nothing_can_be_read(tmp_path: Path, errors: Any) -> None:
    path = tmp_path / "day.json"
    path.write_bytes(b"[" + record(1) + b"]")
    said = "No call could be read: .*day.json: it is a JSON array: expected one JSON object per li"
    with pytest.raises(NormaliseError, match=said) as caught:
        callkit.read_bulk_export(path, errors=errors)
    assert caught.value.frame.empty
    assert len(caught.value.failures) == 1


@pytest.mark.parametrize(
    "option", [{"cache": "calls.sqlite"}, {"refresh": "all"}, {"client": "sandbox"}], ids=str
)
def test_what_is_for_fetching_does_not_go_with_files(
    sandbox: Sandbox, tmp_path: Path, option: dict[str, Any]
) -> None:
    if "client" in option:
        option = {"client": sandbox.client()}
    asked = callkit.BulkExport(write(tmp_path / "day.json", [record(1)]))
    said = f"A BulkExport is read from files: {next(iter(option))} does not apply"
    with pytest.raises(BulkExportError, match=said):
        callkit.collect(asked, **option)
