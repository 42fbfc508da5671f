"""callkit's own JSON Lines read back exactly: values, dtypes and categories."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import callkit
from callkit.files.formats import json_lines
from callkit.normaliser import table_to_frame, to_table
from callkit.schema import SCHEMA
from tests.normaliser.calls import body, calls, numbered, steady

if TYPE_CHECKING:
    from pathlib import Path

    from callkit.sandbox import Sandbox

UNUSUAL = [
    body(),
    b'{"sid": "%s"}' % numbered(1).encode(),
    body(
        sid=numbered(2),
        caller_name='Zoë "Z",\r\n\u2028\ufeff;\t\\ \x00',
        status="frozen",
        answered_by="a ghost",
        price="-9999999999.99999999",
        duration="999999999",
        queue_time="0",
        start_time="Fri, 31 Dec 9999 23:59:59 +0000",
        end_time="1900-01-01T00:00:00.000001Z",
        subresource_uris={},
    ),
    body(sid=numbered(3), price="0", subresource_uris={"\u2028": None, "é": "", "a": '"'}),
]


def write(path: Path, bodies: list[bytes]) -> pd.DataFrame:
    """Write calls as an export does, and give their frame."""
    table, failures = to_table(bodies)
    assert not failures
    with json_lines(path, SCHEMA, dict) as write_table:
        write_table(table)
    return table_to_frame(table)


def check(path: Path, expected: pd.DataFrame) -> None:
    assert_frame_equal(callkit.read_bulk_export(path), expected)
    with path.open(encoding="utf-8") as lines:
        assert_frame_equal(callkit.normalise(lines), expected)
    with path.open("rb") as octets:
        assert_frame_equal(callkit.normalise(octets), expected)


def test_unusual_values_come_back(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    check(path, write(path, UNUSUAL))


def test_a_sample_comes_back(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    with sandbox.client() as client:
        out = callkit.export(sandbox.sid_frame(2_000), path, format="jsonl", client=client)
        check(path, callkit.to_frame(sandbox.sid_frame(2_000), client=client))
    check(path, out.frame)


def test_it_comes_back_compressed_too(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    expected = write(path, UNUSUAL)
    (tmp_path / "calls.jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert_frame_equal(callkit.read_bulk_export(tmp_path / "calls.jsonl.gz"), expected)


@given(st.lists(calls(), max_size=8, unique_by=lambda call: call[1]["sid"]))
@settings(steady, max_examples=60)
def test_any_call_comes_back(
    tmp_path_factory: pytest.TempPathFactory, given_calls: list[tuple[dict[str, Any], Any]]
) -> None:
    path = tmp_path_factory.mktemp("exported") / "calls.jsonl"
    check(path, write(path, [json.dumps(sent).encode() for sent, _ in given_calls]))


@pytest.mark.parametrize("wrong", ["/recordings.json", "[]", "{", '{"recordings": 1}', "1"])
def test_text_is_not_uris_unless_it_is_a_json_object_of_them(wrong: str) -> None:
    _, [failure] = to_table([body(subresource_uris=wrong)])
    assert failure.message.startswith("subresource_uris: expected ")
