"""A run that says all it can: by both sign-ins, with everything that tells of it turned up.

Started by ``tests/test_secrets.py`` in a folder with ``sids.txt``, with the sign-ins in the
environment of a sandbox that makes faults.
"""

from __future__ import annotations

import copy
import faulthandler
import http.client
import inspect
import logging
import os
import pickle
import signal
import sys
import threading
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import callkit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def main() -> None:
    faulthandler.enable()
    warnings.simplefilter("always")
    http.client.HTTPConnection.debuglevel = 1
    logging.basicConfig(level=logging.DEBUG)
    sids = Path("sids.txt").read_text(encoding="utf-8").split()
    account = os.environ["TWILIO_ACCOUNT_SID"]
    by_token = callkit.Client(
        account_sid=account, auth_token=os.environ.pop("TWILIO_AUTH_TOKEN"), timeout=1
    )
    by_key = callkit.Client(timeout=1)
    del os.environ["TWILIO_API_SECRET"]
    with by_token:
        show(by_token)
        tell(lambda: callkit.to_frame(sids, client=by_token, progress=True))
    with by_key:
        show(by_key)
        tell(lambda: callkit.to_frame(interrupted(sids), client=by_key))
        show(callkit.export(sids, "calls.parquet", client=by_key, cache="calls", errors="warn"))
    faulthandler.dump_traceback()
    say(Path("/proc/self/cmdline").read_bytes() if sys.platform == "linux" else sys.argv)


def interrupted(sids: list[str]) -> Iterator[str]:
    """Press Ctrl-C in the middle of a list."""
    yield from sids[: len(sids) // 2]
    os.kill(os.getpid(), signal.SIGINT)
    yield from sids[len(sids) // 2 :]


def tell(act: Callable[[], object]) -> None:
    """Do what fails, and tell of it as tracebacks do, the locals of each frame included."""
    try:
        act()
    except (callkit.CallkitError, KeyboardInterrupt) as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        say("".join(told.format()))
        show(error)
    else:
        raise AssertionError("nothing went wrong, so there is nothing to tell")


def show(thing: object) -> None:
    """Say of an object, and of those that it holds, whatever one can make it say."""
    held = list(vars(thing).values()) if hasattr(thing, "__dict__") else []
    for each in (thing, *held):
        say(each, inspect.getmembers(each), each.__reduce_ex__ if held else None)
        for make in (pickle.dumps, copy.copy, copy.deepcopy, object.__getstate__):
            try:
                say(make(each))
            except Exception as error:  # noqa: BLE001  (it is to say something, whatever that is)
                say(error)
    say([thread.name for thread in threading.enumerate()])


def say(*things: object) -> None:
    sys.stdout.write(" ".join(f"{thing} {thing!r}" for thing in things) + "\n")


if __name__ == "__main__":
    main()
