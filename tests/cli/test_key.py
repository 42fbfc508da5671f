from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import callkit
from callkit.pseudonyms import Pseudonyms
from tests.cli.shell import listed

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from callkit.sandbox import Sandbox
    from tests.cli.conftest import Refused, Typed

KEY = "a key of this test alone"


@pytest.fixture
def export(sandbox: Sandbox, tmp_path: Path) -> tuple[str, ...]:
    sids = listed(tmp_path, sandbox.sids(20))
    return ("export", str(sids), "-o", "calls.parquet", "-q", "--pseudonymise")


@pytest.fixture
def parties(sandbox: Sandbox) -> list[str]:
    with sandbox.client() as client:
        return callkit.to_frame(sandbox.sids(20), client=client)["to"].tolist()


def called(folder: Path) -> list[str]:
    df: pd.DataFrame = callkit.read_parquet(folder / "calls.parquet")
    return df["to"].tolist()


def test_the_key_is_taken_from_the_environment(
    typed: Typed,
    export: tuple[str, ...],
    parties: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CALLKIT_PSEUDONYM_KEY", KEY)
    assert typed(*export) == (0, "", "")
    assert called(tmp_path) == [Pseudonyms(KEY).of(party) for party in parties]


def test_the_key_is_taken_from_a_file_without_its_line_end(
    typed: Typed, export: tuple[str, ...], parties: list[str], tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    assert typed(*export, "--key-file", "key", "--keep", "country") == (0, "", "")
    assert called(tmp_path) == [Pseudonyms(KEY, keep="country").of(party) for party in parties]


def test_pseudonyms_go_to_standard_output_too(
    typed: Typed, export: tuple[str, ...], parties: list[str], tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(KEY)
    code, out, errors = typed(*export, "-o", "-", "--key-file", "key")
    assert (code, errors) == (0, "")
    assert not any(party in out for party in parties if party.startswith("+"))
    assert "pstn~" in out


@pytest.mark.parametrize(
    ("key", "out"),
    [
        (["key"], ["key"]),
        (["calls.failures.csv"], ["calls.parquet"]),
        (["calls", "key"], ["calls", "--by-month"]),
    ],
    ids=["the file", "its failures", "a folder"],
)
def test_the_key_file_is_not_written_over(
    refused: Refused, export: tuple[str, ...], tmp_path: Path, key: list[str], out: list[str]
) -> None:
    file = tmp_path.joinpath(*key)
    file.parent.mkdir(exist_ok=True)
    file.write_text(KEY)
    said = refused(*export, "--key-file", file, "-o", *out)
    assert said == "callkit: the export would replace the key file: export to another file"
    assert file.read_text() == KEY


def test_without_a_key_nothing_is_fetched(refused: Refused, export: tuple[str, ...]) -> None:
    said = refused(*export)
    assert said == (
        "callkit: --pseudonymise needs a key: set CALLKIT_PSEUDONYM_KEY, or pass a file "
        "that contains it with --key-file FILE"
    )


def test_a_key_that_is_too_short_is_refused(
    refused: Refused, export: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLKIT_PSEUDONYM_KEY", "short")
    said = refused(*export)
    assert "The key has 5 bytes: expected at least 16" in said
    assert "short" not in said


def test_a_key_in_the_place_of_its_file_is_not_repeated(
    refused: Refused, export: tuple[str, ...]
) -> None:
    said = refused(*export, "--key-file", KEY)
    assert said == "callkit: cannot read the key file: No such file or directory"


@pytest.mark.parametrize("option", [["--key-file", "key"], ["--keep", "country"]], ids=" ".join)
def test_what_is_for_pseudonyms_alone_asks_for_them(
    refused: Refused, export: tuple[str, ...], option: list[str]
) -> None:
    assert "need --pseudonymise" in refused(*export[:-1], *option)
