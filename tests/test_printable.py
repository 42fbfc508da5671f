"""Text of servers, files and people that is shown: no terminal obeys it."""

from __future__ import annotations

import json
import logging
import pickle
import sys
import unicodedata
from typing import TYPE_CHECKING

import pytest

import callkit
from callkit.errors import (
    CallFailedError,
    CallkitError,
    IncompleteWarning,
)
from callkit.printable import printable, printable_lines
from tests.support.foreign_text import EVIL, obeyed
from tests.support.scripted import QUICK_RETRIES, Reply, sid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from callkit import Client
    from tests.support.scripted import ScriptedServer


def error_reply(status: int, message: str) -> Reply:
    return Reply(status, json.dumps({"code": 1, "message": message}).encode())


@pytest.mark.parametrize(
    "text",
    ["Zoë Müller", "北京市", "　名前", "می‌خواهم", "क्‍ष", "👩‍👧", "עברית", "العربية", "a\\b", ""],
)
def test_letters_of_every_script_stay(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\x9b\x85\x7f", r"\x9b\x85\x7f"),
        ("\u202e\u2066\u200f\u2028\ufeff", r"\u202e\u2066\u200f\u2028\ufeff"),
        ("\udcff", r"\udcff"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_a_terminal_obeys_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_no_control_or_format_character_is_left() -> None:
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    left = {c for c in printable(everything) if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"}}
    assert left == {"\u200c", "\u200d"}


def test_what_is_printable_stays_as_it_is() -> None:
    assert printable(printable(EVIL)) == printable(EVIL)


def test_lines_that_callkit_has_laid_out_stay_lines() -> None:
    assert printable_lines("a\n\x1bb") == "a\n\\x1bb"


def test_the_message_of_an_error_is_printable_and_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(CallkitError(f"bad {EVIL}")))
    assert str(error) == printable(f"bad {EVIL}")


def test_a_call_that_failed_quotes_the_server_without_its_controls(
    server: ScriptedServer, scripted_client: Client
) -> None:
    server.script[sid(0)] = [error_reply(404, f"gone {EVIL}")]
    with pytest.raises(CallFailedError) as caught:
        scripted_client.fetch(sid(0))
    assert obeyed(str(caught.value)) == []
    assert "gone \\x1b[2J" in str(caught.value)


def test_failures_keep_the_message_as_it_was_sent(
    server: ScriptedServer, scripted_client: Client
) -> None:
    server.script[sid(0)] = [error_reply(404, f"gone {EVIL}")]
    got = callkit.collect([sid(0)], client=scripted_client)
    assert got.failures["message"].tolist() == [f"gone {EVIL}"]


def of_a_broken_file(_: ScriptedServer, __: Client, folder: Path) -> None:
    (folder / "export.json").write_bytes(b'{"sid": "CA\\u001b[2J"}\n')
    callkit.read_bulk_export(folder / "export.json")


def of_a_sign_in(server: ScriptedServer, _: Client, __: Path) -> None:
    server.always = error_reply(401, f"who? {EVIL}")
    with server.client(retry_policy=QUICK_RETRIES) as client:
        callkit.to_frame([sid(0)], client=client)


def of_an_outage(server: ScriptedServer, _: Client, __: Path) -> None:
    server.always = error_reply(500, f"down {EVIL}")
    with server.client(retry_policy=QUICK_RETRIES, give_up_after=0.1) as client:
        callkit.to_frame([sid(number) for number in range(2_000)], client=client)


def of_accounts_that_cannot_be_listed(server: ScriptedServer, client: Client, _: Path) -> None:
    server.always = error_reply(400, f"no {EVIL}")
    callkit.to_frame(
        callkit.CallList(started=("2025-03-01", "2025-03-02"), account_sid="all"), client=client
    )


def of_a_day_that_cannot_be_listed(server: ScriptedServer, client: Client, _: Path) -> None:
    server.always = error_reply(400, f"no {EVIL}")
    callkit.to_frame(callkit.CallList(started=("2025-03-01", "2025-03-02")), client=client)


def of_a_file_name(_: ScriptedServer, __: Client, folder: Path) -> None:
    callkit.read_parquet(folder / f"calls{EVIL[:-1]}.parquet")


@pytest.mark.parametrize(
    "go_wrong",
    [
        of_a_broken_file,
        of_a_sign_in,
        of_an_outage,
        of_accounts_that_cannot_be_listed,
        of_a_day_that_cannot_be_listed,
        of_a_file_name,
    ],
)
def test_no_error_or_log_line_carries_the_controls_of_others(
    server: ScriptedServer,
    scripted_client: Client,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    go_wrong: Callable[[ScriptedServer, Client, Path], None],
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(CallkitError) as caught:
        go_wrong(server, scripted_client, tmp_path)
    assert "\\x1b[2J" in str(caught.value)
    assert obeyed("".join([str(caught.value), *caplog.messages])) == []


def test_no_warning_carries_the_controls_of_others(
    server: ScriptedServer, scripted_client: Client
) -> None:
    server.always = error_reply(400, f"no {EVIL}")
    march = callkit.CallList(started=("2025-03-01", "2025-03-02"))
    with pytest.warns(IncompleteWarning) as warned:
        callkit.to_frame(march, client=scripted_client, errors="warn")
    assert [obeyed(str(warning.message)) for warning in warned] == [[]]


def test_a_summary_shows_values_of_a_file_without_their_controls() -> None:
    call = {"sid": sid(0), "status": f"completed{EVIL}", "price": "-1", "price_unit": f"US{EVIL}"}
    page = callkit.summary(callkit.normalise([call]))
    assert obeyed(str(page)) == []
    assert "completed\\x1b[2J" in str(page)
