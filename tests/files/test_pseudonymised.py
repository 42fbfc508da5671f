"""Files written with pseudonyms in the place of parties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import callkit
from callkit import FetchError, Pseudonyms
from callkit.addresses import is_withheld
from callkit.errors import FrameError
from tests.files.test_exporting import in_every_form

if TYPE_CHECKING:
    from pathlib import Path

    from callkit import Client
    from callkit.sandbox import Sandbox

KEY = "a key of these tests alone"
PSEUDONYMS = Pseudonyms(KEY, keep="country")
PARTIES = ["from", "to", "forwarded_from"]
NAMES = ["from_formatted", "to_formatted", "caller_name"]


def personal_values(df: pd.DataFrame) -> list[str]:
    """List what is personal in a frame; numbers withheld are nobody's."""
    held = pd.concat([df[name] for name in PARTIES + NAMES]).dropna().unique()
    return [value for value in held if not is_withheld(value)]


@in_every_form
def test_an_export_holds_no_party_and_no_name(
    sandbox: Sandbox,
    client: Client,
    tmp_path: Path,
    name: str,
    form: dict[str, Any],
) -> None:
    sids = sandbox.sid_frame(300)
    callkit.export(sids, tmp_path / name, client=client, pseudonyms=PSEUDONYMS, **form)
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    personal = personal_values(callkit.to_frame(sids, client=client))
    assert len(personal) > 300
    assert not [value for value in personal for content in written if value.encode() in content]


def test_an_export_is_the_frame_pseudonymised(sandbox: Sandbox, client: Client, path: Path) -> None:
    sids = sandbox.sid_frame(300)
    callkit.export(sids, path, client=client, pseudonyms=PSEUDONYMS)
    expected = callkit.pseudonymise(callkit.to_frame(sids, client=client), KEY, keep="country")
    pd.testing.assert_frame_equal(callkit.read_parquet(path), expected)


def test_what_an_exception_carries_is_pseudonymised_too(
    sandbox: Sandbox, client: Client, path: Path
) -> None:
    sids = sandbox.sids(20) + sandbox.unknown_sids(1)
    with pytest.raises(FetchError) as caught:
        callkit.export(sids, path, client=client, pseudonyms=PSEUDONYMS)
    assert caught.value.frame["from"].str.contains("~|^\\+266").all()
    assert not set(NAMES) & set(caught.value.frame.columns)


@pytest.mark.parametrize("by_month", [False, True])
def test_a_frame_is_written_with_pseudonyms(
    calls: pd.DataFrame, path: Path, by_month: bool
) -> None:
    callkit.to_parquet(calls, path, by_month=by_month, pseudonyms=PSEUDONYMS)
    read = callkit.read_parquet(path).sort_values("sid", ignore_index=True)
    expected = callkit.pseudonymise(calls, KEY, keep="country")
    pd.testing.assert_frame_equal(read, expected.sort_values("sid", ignore_index=True))
    assert calls["from"].str.startswith("+").any()  # the frame in hand is as it was


def test_breakdowns_of_the_file_are_those_of_the_calls(calls: pd.DataFrame, path: Path) -> None:
    callkit.to_parquet(calls, path, pseudonyms=PSEUDONYMS)
    by = ["country", "number_type", "channel"]
    pd.testing.assert_frame_equal(
        callkit.cost_breakdown(callkit.read_parquet(path), by),
        callkit.cost_breakdown(calls, by),
    )


def test_pseudonyms_of_pseudonyms_are_refused(calls: pd.DataFrame, path: Path) -> None:
    with pytest.raises(FrameError, match="already contains pseudonyms"):
        callkit.to_parquet(callkit.pseudonymise(calls, KEY), path, pseudonyms=PSEUDONYMS)
    assert not path.exists()
