from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

import callkit
from tests.cache.test_admin import HERS, HIS, call_from
from tests.cache.test_store import fill
from tests.cli.shell import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Refused, Typed


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    path = tmp_path / "calls.sqlite"
    fill(path, call_from(1, HERS), call_from(2, HIS), call_from(3, "client:amy"))
    return path


def test_info_goes_to_standard_output(typed: Typed, cache: Path) -> None:
    code, out, errors = typed("cache", "info", cache)
    assert (code, errors) == (0, "")
    assert out == f"{callkit.cache.info(cache)}\n"
    assert out.startswith("calls          3\n  final        3\n")


def test_prune_says_how_many_are_gone(typed: Typed, cache: Path) -> None:
    told = f"3 calls removed from {cache}\n"
    assert typed("cache", "prune", cache, "--older-than", "4w") == (0, "", told)
    assert callkit.cache.info(cache).calls == 0


def test_prune_wants_to_know_how_old(refused: Refused, cache: Path) -> None:
    said = refused("cache", "prune", cache, "--older-than", "90")
    assert "invalid age (such as 90d, 12h or 4w) value: '90'" in said


def test_erase_says_how_many_and_not_of_whom(typed: Typed, cache: Path) -> None:
    told = f"2 calls erased from {cache}\n"
    assert typed("cache", "erase", cache, "+1 415 555 2671", "client:amy") == (0, "", told)
    assert typed("cache", "erase", cache, HERS, "--quiet") == (0, "", "")
    assert callkit.cache.info(cache).calls == 1


def test_erase_reads_numbers_from_standard_input(cache: Path) -> None:
    done = run("cache", "erase", cache, "-", given=f"{HERS}\n\n{HIS}\n")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"2 calls erased from {cache}\n"


def test_erase_wants_somebody(
    refused: Refused, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    assert "standard input is empty" in refused("cache", "erase", cache, "-")
    assert "Invalid party 1" in refused("cache", "erase", cache, "4155552671")
    assert callkit.cache.info(cache).calls == 3


@pytest.mark.parametrize(
    "arguments",
    [["info"], ["prune", "--older-than", "1d"], ["erase", HERS]],
    ids=["info", "prune", "erase"],
)
def test_a_file_that_is_no_cache_is_told_in_one_sentence(
    refused: Refused, tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "notes.txt").write_text("not a cache")
    command, *rest = arguments
    assert "is not a database" in refused("cache", command, tmp_path / "notes.txt", *rest)
    assert "No such file" in refused("cache", command, tmp_path / "none.sqlite", *rest)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
