"""The call path of `to_frame([sid])` through a tree's `callkit`; prints one line of JSON.

Usage: python -P benchmarks/call_path.py TREE, with PYTHONPATH=TREE (see `benchmarks.structure`).

Every call of a Python function defined in `TREE/callkit` counts, on every thread. The resumption of
a generator, a comprehension and a lambda are calls like any other. A move is a call in another file
than the call before it on the same thread. The client is warm: it has fetched another call before.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

ACCOUNT = "AC" + "a" * 32
CALL = {
    "account_sid": ACCOUNT,
    "annotation": None,  # the live API sends it, and no client of it documents it
    "answered_by": None,
    "api_version": "2010-04-01",
    "caller_name": None,
    "date_created": "Tue, 14 Nov 2023 10:00:00 +0000",
    "date_updated": "Tue, 14 Nov 2023 10:01:07 +0000",
    "direction": "outbound-api",
    "duration": "65",
    "end_time": "Tue, 14 Nov 2023 10:01:06 +0000",
    "forwarded_from": None,
    "from": "+14155550101",
    "from_formatted": "(415) 555-0101",
    "group_sid": None,
    "parent_call_sid": None,
    "phone_number_sid": "PN" + "b" * 32,
    "price": "-0.03000",
    "price_unit": "USD",
    "queue_time": "0",
    "start_time": "Tue, 14 Nov 2023 10:00:01 +0000",
    "status": "completed",
    "subresource_uris": {name: f"/{name}.json" for name in ("events", "payments", "recordings")},
    "to": "+14155550102",
    "to_formatted": "(415) 555-0102",
    "trunk_sid": "",
}
ROUNDS = 9


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        sid = Path(self.path).stem
        body = json.dumps({**CALL, "sid": sid, "uri": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class Recorder:
    """The code objects of `folder` that were called, in order, by thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self.calls: dict[int, list[CodeType]] = defaultdict(list)

    def install(self) -> None:
        threading.setprofile(self._note)
        sys.setprofile(self._note)

    def uninstall(self) -> None:
        threading.setprofile(None)
        sys.setprofile(None)

    def figures(self) -> dict[str, int]:
        threads = list(self.calls.values())
        codes = {code for thread in threads for code in thread}
        return {
            "calls": sum(map(len, threads)),
            "functions": len(codes),
            "files": len({code.co_filename for code in codes}),
            "moves": sum(
                one.co_filename != other.co_filename
                for thread in threads
                for one, other in pairwise(thread)
            ),
        }

    def _note(self, frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(self._folder):
            self.calls[threading.get_ident()].append(frame.f_code)


def measured(recorder: Recorder, work: Callable[[str], Any]) -> dict[str, float]:
    """Do the work for one call at a time, and give the median figures after the first."""
    rounds = []
    for number in range(ROUNDS + 1):
        sid = f"CA{number:032x}"
        recorder.calls.clear()
        frame = work(sid)
        rounds.append(recorder.figures())
        assert list(frame["sid"]) == [sid]
    return {name: median(figures[name] for figures in rounds[1:]) for name in rounds[0]}


def main() -> None:
    import callkit

    tree = Path(sys.argv[1]).resolve()
    assert Path(callkit.__file__).is_relative_to(tree), callkit.__file__
    recorder = Recorder(tree / "callkit")
    recorder.install()  # before any worker starts, since a client may keep its workers
    with (
        tempfile.TemporaryDirectory() as folder,
        ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server,
    ):
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        with callkit.Client(account_sid=ACCOUNT, auth_token="token", base_url=url) as client:

            def cached(sid: str) -> Any:
                cache = Path(folder) / f"{sid}.sqlite"
                callkit.to_frame([], client=client, cache=cache)
                recorder.calls.clear()
                return callkit.to_frame([sid], client=client, cache=cache)

            plain = measured(recorder, lambda sid: callkit.to_frame([sid], client=client))
            rows = {"to_frame([sid])": plain, "with cache=": measured(recorder, cached)}
        recorder.uninstall()
        server.shutdown()
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
