from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import pytest

import callkit
from callkit.outcomes import REASONS

if TYPE_CHECKING:
    from callkit.sandbox import Sandbox

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_every_python_block_runs(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", sandbox.account_sid)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", sandbox.auth_token)
    monkeypatch.setenv("CALLKIT_BASE_URL", sandbox.url)
    sids = sandbox.sids(50)
    Path("sids.txt").write_text("\n".join(sids))
    rows = [f"{sid.upper()},a" for sid in sids * 2]  # as a spreadsheet has them
    Path("campaigns.csv").write_text("\n".join(["sid,campaign", *rows]))
    for number, (month, status) in enumerate({"march": "busy", "april": "frozen"}.items()):
        body = {"sid": f"CA{number:032x}", "status": status}
        callkit.to_parquet(callkit.normalise([body]), f"{month}.parquet")
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 5
    namespace: dict[str, Any] = {}
    with mpl.rc_context({"backend": "agg"}):
        for block in blocks:
            exec(compile(block, "README.md", "exec"), namespace)
    assert len(callkit.read_parquet("calls.parquet")) == 50
    assert Path("cost.png").stat().st_size > 10_000
    assert len(namespace["joined"]) == 100
    assert namespace["joined"]["from"].notna().all()
    status = namespace["both"]["status"]
    assert status.tolist() == ["busy", "frozen"]
    assert status.cat.categories.tolist() == [*namespace["df"]["status"].cat.categories, "frozen"]


def test_the_table_of_columns_is_what_comes_back() -> None:
    dtypes = {str(name): str(dtype) for name, dtype in callkit.normalise([]).dtypes.items()}
    rows = re.findall(r"^\| ((?:`\w+` ?)+)\| (.*?) \|", README, re.MULTILINE)
    written = {
        name: dtype
        for names, dtype in rows
        for name in re.findall(r"`(\w+)`", names)
        if name in dtypes
    }
    assert written.keys() == dtypes.keys()
    for name, dtype in dtypes.items():
        assert dtype.removesuffix("[pyarrow]") in written[name], name


def test_every_reason_is_explained() -> None:
    for reason in REASONS:
        assert re.search(rf"^\|.*`{reason}`.*\|", README, re.MULTILINE), reason


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)]+)\)", README))))
def test_every_link_into_the_repository_leads_somewhere(link: str) -> None:
    if "://" not in link:
        assert (Path(__file__).parents[1] / link).exists()
