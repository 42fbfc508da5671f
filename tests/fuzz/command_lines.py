"""Command lines: the words of ``callkit --help``, and those of a slip of the hand."""

from __future__ import annotations

import io
import json
import os
import re
import tempfile
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import callkit
from callkit.cli import main
from callkit.sandbox import Sandbox
from callkit.sandbox.calls import body_of
from tests.fuzz.damage import damaged
from tests.fuzz.kinds import RESULT
from tests.support.foreign_text import EVIL, obeyed
from tests.support.scripted import ACCOUNT, TOKEN, Handler, Reply, ScriptedServer

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

__all__ = ["CommandLines"]

_DOCUMENTED = {0, 1, 2, 3, 130}
_COMMAND = re.compile(r"^    ([a-z]+)  ", re.MULTILINE)
_OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
_SOME_FILES = ["sids.txt", "sids.csv", "calls.parquet", "calls.sqlite", "empty.txt", "key.txt"]
_VALUES = [
    *_SOME_FILES,
    *(
        "-",
        "--",
        "",
        " ",
        ".",
        "..",
        "missing/x",
        "folder",
        "out.parquet",
        "out.csv",
        "\udcff",
        EVIL.replace("\0", ""),
    ),
    *(
        "x" * 300,
        "/dev/null",
        "/dev/full",
        "é",
        "0",
        "1",
        "-1",
        "8080",
        "99999",
        "1e3",
        "nan",
        "inf",
    ),
    *(
        "0.1",
        "9" * 30,
        "all",
        "unpriced",
        "country",
        "direction",
        "from",
        "price",
        "parquet",
        "csv",
    ),
    *("jsonl", "D", "W", "ME", "0D", "-1h", "1ns", "UTC", "Europe/Berlin", "../UTC", "90d", "0d"),
    *(
        "1w",
        "99999w",
        "+442079460000",
        "sip:a@b",
        "client:x",
        "=x",
        "--no",
        "-x",
        "--o",
        "-o=",
        "%s",
    ),
]
_BAD_ENVIRONMENT = [
    *("", " ", "x", "\udcff", "http://far.example", "https://", "http://[::1", "AC", "SK", "a\nb"),
    *("http://127.0.0.1:99999", "file:///etc", "\u2028", "x" * 5_000, "1"),
]
_VARIABLES = [
    *("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_API_KEY", "TWILIO_API_SECRET"),
    *("TWILIO_REGION", "TWILIO_EDGE", "CALLKIT_BASE_URL", "CALLKIT_PSEUDONYM_KEY"),
]


class CommandLines:
    """Command lines run in this process, over files that exist and a server that answers."""

    at_once = 20

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="callkit-"))
        self._server = ScriptedServer().__enter__()  # ends with the process
        self._server.always = _answer
        self._environment = {
            **{name: value for name, value in os.environ.items() if name not in _VARIABLES},
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "CALLKIT_BASE_URL": self._server.url,
            "CALLKIT_PSEUDONYM_KEY": "k" * 40,
        }
        self._files = self._made_files()
        self._words = self._said_by_help()

    def make(self, rng: random.Random) -> tuple[list[str], str, dict[str, str]]:
        command = rng.choice(list(self._words))
        words = [*command.split()] if rng.random() < 0.95 else []
        options = self._words[command]
        for _ in range(int(rng.random() * 6)):
            if rng.random() < 0.45 and options:
                words.append(rng.choice(options))
            word = rng.choice(_SOME_FILES if rng.random() < 0.5 else _VALUES)
            if rng.random() < 0.1:
                word = damaged(rng, os.fsencode(word)).decode("utf-8", "surrogateescape")
            words.append(word.replace("\0", ""))  # which no system passes on
        variable = {}
        if rng.random() < 0.3:
            variable = {rng.choice(_VARIABLES): rng.choice(_BAD_ENVIRONMENT)}
        return words, rng.choice(("", "sids\n", "\udcff", "CA" + "0" * 32)), variable

    def outcomes(self, inputs: Sequence[Any]) -> list[str]:
        with self._stage():
            return [self._outcome(*each) for each in inputs]

    def _outcome(self, words: list[str], typed: str, variable: dict[str, str]) -> str:
        for name, octets in self._files.items():
            if not Path(name).is_file() or Path(name).stat().st_size != len(octets):
                Path(name).write_bytes(octets)
        said, complained = _stream("strict"), _stream("backslashreplace")
        stdin = io.TextIOWrapper(io.BytesIO(typed.encode("utf-8", "surrogateescape")))
        with (
            mock.patch.dict(os.environ, self._environment | variable, clear=True),
            mock.patch("sys.stdin", stdin),
            redirect_stdout(said),
            redirect_stderr(complained),
        ):
            try:
                code = main(words)
            except SystemExit as end:  # argparse's
                code = end.code if isinstance(end.code, int) else 0
        complained.flush()
        text = complained.buffer.getvalue().decode()
        assert code in _DOCUMENTED, code
        assert "Traceback" not in text, text
        assert TOKEN not in text, text
        assert obeyed(text) == [], text
        if code:
            assert text.strip(), "it fails and does not say why"
        return RESULT if code == 0 else f"exit {code}"

    @contextmanager
    def _stage(self) -> Iterator[None]:
        """Leave out what runs until it is stopped, and the drawing, which takes long."""
        before = Path.cwd()
        with ExitStack() as stack:
            stack.enter_context(mock.patch("callkit.cli.commands.serve_until_stopped"))
            stack.enter_context(mock.patch("callkit.cli.commands.run_demo"))
            stack.enter_context(mock.patch("matplotlib.figure.Figure.savefig", _touch))
            stack.callback(os.chdir, before)
            os.chdir(self._folder)
            yield

    def _made_files(self) -> dict[str, bytes]:
        sandbox = Sandbox(calls=100, seed=19)
        calls = callkit.normalise([body_of(sandbox.call(sid)) for sid in sandbox.sids(20)])
        callkit.to_parquet(calls, self._folder / "calls.parquet")
        sids = [f"CA{number:032x}" for number in range(3)]
        with callkit.Client(
            account_sid=ACCOUNT, auth_token=TOKEN, base_url=self._server.url
        ) as client:
            callkit.to_frame(sids[:2], client=client, cache=self._folder / "calls.sqlite")
        (self._folder / "folder").mkdir()
        return {
            "sids.txt": "\n".join(sids).encode(),
            "sids.csv": "\n".join(["sid", *sids]).encode(),
            "calls.parquet": (self._folder / "calls.parquet").read_bytes(),
            "calls.sqlite": (self._folder / "calls.sqlite").read_bytes(),
            "empty.txt": b"",
            "key.txt": b"k" * 40,
        }

    def _said_by_help(self) -> dict[str, list[str]]:
        """Find the commands, and those within them, and the options of each."""
        words: dict[str, list[str]] = {}
        left = [""]
        while left:
            command = left.pop()
            text = _help(command)
            words[command] = sorted(set(_OPTION.findall(text)))
            left += [f"{command} {name}".strip() for name in _COMMAND.findall(text)]
        return words


def _answer(handler: Handler) -> None:
    """Answer every call but the last of the list."""
    missing = Reply(404, json.dumps({"message": f"gone, {EVIL}"}).encode())
    handler.answer(missing if handler.call_sid.endswith("2") else Reply())


def _help(command: str) -> str:
    said = io.StringIO()
    with redirect_stdout(said), suppress(SystemExit):
        main([*command.split(), "--help"])
    return said.getvalue()


def _stream(errors: str) -> Any:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors=errors)


def _touch(_: object, path: Path, **__: object) -> None:
    Path(path).touch()
