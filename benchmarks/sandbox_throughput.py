"""How many requests a second the sandbox answers on one core, as `wrk` sees it.

Run it with `python benchmarks/sandbox_throughput.py` on Linux. The server is pinned to the first
core and `wrk` to the second; each request asks for another call, so that making calls is measured
too. The processor time a request says what the core could do if nobody else worked on it.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import requests

from callkit.sandbox import Sandbox

CALLS = 1_000_000
ASKED_FOR = 5_000
SECONDS = 5
CONNECTIONS = 50
WANTED = 3_000

SCRIPT = """
local sids = {%s}
local n = 0
wrk.headers["Authorization"] = "%s"
request = function()
  n = n %% #sids + 1
  return wrk.format("GET", "/2010-04-01/Accounts/%s/Calls/" .. sids[n] .. ".json")
end
"""


def main() -> None:
    if not (shutil.which("wrk") and shutil.which("taskset")):
        sys.exit("this benchmark needs wrk and taskset: apt-get install wrk util-linux")
    serve = f"from callkit.sandbox import serve; serve(calls={CALLS})"
    server = subprocess.Popen(
        ["taskset", "-c", "0", sys.executable, "-c", serve], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        url = found_in(r"(http://[\d.:]+)", server.stdout.readline())
        before = processor_seconds(server.pid)
        report = load(url)
        used = processor_seconds(server.pid) - before
    finally:
        server.terminate()
        server.wait()
    print(report)
    if "Non-2xx" in report:
        sys.exit("not every answer was a call")
    rate = float(found_in(r"Requests/sec:\s+([\d.]+)", report))
    each = used / int(found_in(r"(\d+) requests in", report))
    print(f"{rate:,.0f} requests/s on one core (wanted: {WANTED:,})")
    print(f"{each * 1e6:,.0f} µs of processor a request: {1 / each:,.0f}/s on a core of its own")


def load(url: str) -> str:
    sandbox = Sandbox(calls=CALLS)
    sign_in = requests.Request("GET", url, auth=(sandbox.account_sid, sandbox.auth_token)).prepare()
    sids = ", ".join(f'"{sid}"' for sid in sandbox.sids(ASKED_FOR))
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "calls.lua")
        script.write_text(SCRIPT % (sids, sign_in.headers["Authorization"], sandbox.account_sid))
        command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s"]
        return subprocess.run(
            [*command, "-s", str(script), url], check=True, capture_output=True, text=True
        ).stdout


def processor_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def found_in(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, text
    return match[1]


if __name__ == "__main__":
    main()
