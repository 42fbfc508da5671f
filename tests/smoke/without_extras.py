"""What the wheel does in an environment of its own, with what it depends on and nothing else.

Run by ``tests/smoke/wheel.sh``, in an empty folder: plain Python, for there is no pytest there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import redirect_stderr
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from threading import Thread

from matplotlib.figure import Figure

import callkit
from callkit.sandbox import Sandbox

ACCOUNT, SIDS = "AC" + "0" * 32, [f"CA{number:032x}" for number in range(500)]
CALL = {
    "status": "completed",
    "direction": "outbound-api",
    "from": "+442079460000",
    "to": "+442079460001",
    "start_time": "Sat, 01 Mar 2025 09:00:00 +0000",
    "duration": "61",
    "queue_time": "0",
    "price": "-0.026",
    "price_unit": "USD",
}
PIP_LINE = "pip install httptools uvicorn"


class Api(BaseHTTPRequestHandler):
    """Answers for every call with the same one."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        sid = self.path.rpartition("/")[2].removesuffix(".json")
        body = json.dumps({**CALL, "sid": sid, "account_sid": ACCOUNT}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("callkit")
    return subprocess.run([command, *arguments], capture_output=True, text=True, check=False)


def complaint() -> str:
    try:
        with Sandbox():
            return "none"
    except callkit.errors.SandboxError as error:
        return str(error)


assert Path(sys.prefix) in Path(callkit.__file__).parents, f"not the wheel's: {callkit.__file__}"
assert find_spec("uvicorn") is None, "this environment is to be without extras"

with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    client = callkit.Client(account_sid=ACCOUNT, auth_token="5f" * 16, base_url=url)
    with client, redirect_stderr(StringIO()) as bar:
        df = callkit.to_frame(SIDS, client=client, cache="calls.sqlite", progress=True)
    server.shutdown()
assert "500/500" in bar.getvalue(), bar.getvalue()
cost = callkit.cost_breakdown(df, "country", freq="D")
assert cost["cost"].astype(str).tolist() == ["13.00000000"], cost
assert callkit.duration_breakdown(df)["answered_calls"].tolist() == [500]

callkit.to_parquet(df, "calls.parquet")
assert callkit.read_parquet("calls.parquet").equals(df)
figure = Figure()
callkit.charts.cost(cost, ax=figure.add_subplot(2, 1, 1))
callkit.charts.duration(df, ax=figure.add_subplot(2, 1, 2))
figure.savefig("charts.png")

sandbox = Sandbox(calls=100)
assert len(callkit.to_frame(sandbox.sids(20), client=sandbox.client())) == 20
assert len(callkit.sample(50)) == 50
assert PIP_LINE in complaint()
version = run("--version")
assert version.stdout == f"callkit {callkit.__version__}\n", version
summary = run("summary", "calls.parquet")
assert (summary.returncode, summary.stderr) == (0, ""), summary
for command in ("demo", "sandbox"):
    refused = run(command)
    assert refused.returncode == 2, refused
    assert refused.stderr.count("\n") == 1, refused
    assert PIP_LINE in refused.stderr, refused
