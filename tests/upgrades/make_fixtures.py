"""Write the fixtures of `tests/upgrades/0.1.0`, with callkit 0.1.0 as of commit b3954fc.

They are committed, and are not made again: what they hold is what that version wrote. Run this in
a checkout of that commit into which `tests/upgrades` has been copied:

    python -m tests.upgrades.make_fixtures FOLDER
"""

from __future__ import annotations

import io
import shutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import requests
from requests.adapters import BaseAdapter

from tests.upgrades.calls import ACCOUNT, BROKEN, CALLS, FINAL, NOT_THERE, Call

VERSION = "0.1.0"


class NothingIsThere(BaseAdapter):
    """An API that answers 404, whatever it is asked for."""

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        response = requests.Response()
        response.status_code = 404
        response.headers["Twilio-Request-Id"] = "RQ" + "d" * 32
        response.raw = io.BytesIO(b'{"code": 20404, "message": "not found", "status": 404}')
        response.request = request
        return response

    def close(self) -> None:
        pass


def write_cache(path: Path, calls: list[Call]) -> None:
    """Store bodies as a fetch does, at times of ours; closing the file empties its journal."""
    fetched = import_module("callkit.outcomes").Fetched
    with import_module("callkit.fetch.cache").Cache(path) as cache:
        for call in calls:
            account = call.sent["account_sid"]
            cache.keep([fetched(call.sid, account, call.body, call.request_id, call.fetched_at, 1)])


def export(folder: Path, client: Any) -> None:
    """Export what is final from the cache, and a failure of each kind; only one is asked for."""
    callkit: Any = import_module("callkit")
    sids = [*(call.sid for call in FINAL), BROKEN.sid, NOT_THERE]
    forms: dict[str, dict[str, Any]] = {
        "exported.parquet": {},
        "by_month": {"by_month": True},
        "exported.csv": {"format": "csv"},
        "exported.jsonl": {"format": "jsonl"},
    }
    for name, form in forms.items():
        cache = folder / "calls.sqlite"
        callkit.export(sids, folder / name, cache=cache, client=client, errors="warn", **form)


def main() -> None:
    callkit: Any = import_module("callkit")
    assert callkit.__version__ == VERSION
    folder = Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_cache(folder / "calls.sqlite", [*CALLS, BROKEN])
    frame = callkit.normalise([call.body for call in CALLS])
    callkit.to_parquet(frame, folder / "calls.parquet")
    callkit.to_parquet(callkit.cost_breakdown(frame, "status", freq="MS"), folder / "cost.parquet")
    durations = callkit.duration_breakdown(frame, "direction", freq="MS")
    callkit.to_parquet(durations, folder / "duration.parquet")
    session = requests.Session()
    session.mount("http://", NothingIsThere())
    with callkit.Client(
        account_sid=ACCOUNT, auth_token="token", base_url="http://127.0.0.1:9", session=session
    ) as client:
        export(folder, client)


if __name__ == "__main__":
    main()
