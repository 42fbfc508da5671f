from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.jupyterlab.page import photograph
from tests.jupyterlab.server import Lab, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

_CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_LEFT_OUT = "JupyterLab in a browser was left out: there is no chromium on the PATH"
_PATIENCE = 120_000  # milliseconds, for whatever is to appear
_WITHOUT_NETWORK = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-first-run",
    "--no-proxy-server",
]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _CHROMIUM is None:
        terminalreporter.write_line(_LEFT_OUT)


@pytest.fixture(scope="package")
def chromium() -> str:
    if _CHROMIUM is None:
        pytest.skip(_LEFT_OUT)
    return _CHROMIUM


@pytest.fixture(scope="package")
def lab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    root, home = tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("home")
    with serving(root, home) as lab:
        yield lab


@pytest.fixture(scope="package")
def context(chromium: str) -> Iterator[BrowserContext]:
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=chromium,
            chromium_sandbox=False,  # as in a container
            args=["--disable-gpu", *_WITHOUT_NETWORK],
        ) as browser,
        browser.new_context() as context,
    ):
        context.set_default_timeout(_PATIENCE)
        expect.set_options(timeout=_PATIENCE)
        yield context


@pytest.fixture
def page(lab: Lab, context: BrowserContext, tmp_path: Path) -> Iterator[Page]:
    """Give an empty page; what it shows at the end is kept as a picture, and no kernel is left."""
    with context.new_page() as page:
        page.set_viewport_size({"width": 1400, "height": 1000})
        yield page
        photograph(page, tmp_path / "at the end.png")
    lab.shut_kernels_down()
