"""Calls and failures after a kill: the old pair, the new one, or what the next export completes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import groupby
from typing import TYPE_CHECKING

import pytest

from callkit.sandbox import Sandbox
from tests.cli.shell import ROOT, signed_in
from tests.files.killing import TARGETS

if TYPE_CHECKING:
    from pathlib import Path

on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="strace, which kills at a system call, exists for Linux only"
)


def run(folder: Path, *program: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, *program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=1_800,
    ).stdout


@pytest.mark.slow
@on_linux
@pytest.mark.parametrize("form", TARGETS)
def test_a_kill_at_any_system_call_leaves_a_pair_or_what_the_next_export_completes(
    tmp_path: Path, form: str
) -> None:
    assert shutil.which("strace"), "this test needs strace"
    states = json.loads(run(tmp_path, "-m", "tests.files.killing", form))
    old, new = ([13, 14, 15], [23, 24, 25]) if form == "update" else ([10], [20])
    for (before, _), group in groupby(states, key=lambda state: state[:2]):
        failed = ([] if before is None else [before], [] if before == 12 else [21])
        in_order = [[old, failed[0]], "refused", [new, failed[1]]]
        places = [in_order.index(found) for *_, found in group]
        assert places == sorted(places)
        assert places[-1] == 2
    assert "refused" in [found for *_, found in states]


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(os, "fork"),
    reason="forks the exports that it kills, since starting 200 anew takes long",
)
def test_a_signal_at_any_moment_of_an_export_leaves_a_pair_and_the_next_one_is_undisturbed(
    tmp_path: Path,
) -> None:
    with Sandbox(calls=1_000, latency=0.005) as sandbox:
        for name, start in (("a", 0), ("b", 2)):
            sids = [*sandbox.sids(100)[start::4], *sandbox.unknown_sids(4)[start : start + 2]]
            (tmp_path / f"{name}.txt").write_text("\n".join(sids))
        output = run(tmp_path, "-m", "tests.files.signalling", "200", **signed_in(sandbox))
    assert sum(json.loads(output).values()) == 200
