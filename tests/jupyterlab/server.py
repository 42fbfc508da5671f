"""A JupyterLab server of the tests' own: on loopback, and with no word to anybody else."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib as mpl
import requests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Lab", "serving"]

_TOKEN = secrets.token_hex()
_CONFIG = {
    "IdentityProvider": {"token": _TOKEN},
    "LabApp": {
        "check_for_updates_class": "jupyterlab.handlers.announcements.NeverCheckForUpdate",
        "extension_manager": "readonly",
        "news_url": None,
    },
}
_USER_SETTINGS = {
    "apputils-extension/notification": {"checkForUpdates": False, "fetchNews": "false"},
    "notebook-extension/tracker": {"windowingMode": "none"},  # every cell is in the page
}
_STARTS_WITHIN = 120.0  # seconds
_STOPS_WITHIN = 30.0  # seconds


@dataclass(frozen=True)
class Lab:
    """A JupyterLab that runs, and the folder that it serves."""

    root: Path
    url: str

    def address(self, notebook: Path) -> str:
        """Return where JupyterLab shows that notebook, and nothing that was open before."""
        path = notebook.relative_to(self.root).as_posix()
        return f"{self.url}lab/tree/{path}?reset&token={_TOKEN}"

    def shut_kernels_down(self) -> None:
        """End every kernel, whatever it is at."""
        with requests.Session() as session:
            session.trust_env = False
            session.headers["Authorization"] = f"token {_TOKEN}"
            for kernel in session.get(f"{self.url}api/kernels", timeout=60).json():
                session.delete(f"{self.url}api/kernels/{kernel['id']}", timeout=60)


@contextmanager
def serving(root: Path, home: Path) -> Iterator[Lab]:
    """Start JupyterLab on `root`, with everything that it keeps in `home`; stop it at the end."""
    _write_json(home / "config" / "jupyter_server_config.json", _CONFIG)
    for name, settings in _USER_SETTINGS.items():
        path = home / "config" / "lab" / "user-settings" / "@jupyterlab"
        _write_json(path / f"{name}.jupyterlab-settings", settings)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=0"]
    command.append("--allow-root")  # as in a container
    with (
        (home / "server.log").open("w") as log,
        subprocess.Popen(
            command, cwd=root, env=_environment(home), stdout=log, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            yield Lab(root, _url(process, home))
        finally:
            process.terminate()  # ends the kernels too
            try:
                process.wait(_STOPS_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()


def _environment(home: Path) -> dict[str, str]:
    foreign = ("CALLKIT_", "JUPYTER", "TWILIO_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return inherited | {
        "HOME": str(home),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "MPLCONFIGDIR": mpl.get_cachedir(),  # or the first kernel would look for fonts anew
    }


def _url(process: subprocess.Popen[bytes], home: Path) -> str:
    """Wait until the server has said where it listens."""
    said = home / "runtime" / f"jpserver-{process.pid}.json"
    deadline = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        if said.exists() and (content := said.read_text()).endswith("}"):
            return str(json.loads(content)["url"])
        threading.Event().wait(0.05)
    raise RuntimeError(f"JupyterLab did not start:\n{(home / 'server.log').read_text()}")


def _write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
