from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from callkit.cli import main
from tests.cli.shell import sentence, signed_in

if TYPE_CHECKING:
    from pathlib import Path

    from callkit.sandbox import Sandbox


class Typed(Protocol):
    def __call__(self, *arguments: object) -> tuple[int, str, str]: ...


class Refused(Protocol):
    def __call__(self, *arguments: object) -> str: ...


@pytest.fixture
def typed(
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Typed:
    """Run a command in this process, signed in to the sandbox; give its code and what it wrote."""
    monkeypatch.chdir(tmp_path)
    for name, value in signed_in(sandbox).items():
        monkeypatch.setenv(name, value)

    def typed(*arguments: object) -> tuple[int, str, str]:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(str(stop.code))
        return code, *capsys.readouterr()

    return typed


@pytest.fixture
def refused(typed: Typed) -> Refused:
    """Run a command that cannot do what it is asked for; give the one sentence that says why."""

    def refused(*arguments: object) -> str:
        code, out, errors = typed(*arguments)
        assert (code, out) == (2, "")
        return sentence(errors)

    return refused
