"""Datasets of calls of two accounts in the spring of 2025, and updates of them."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import callkit
from callkit.cache.store import final_rows
from callkit.files.datasets import Listed, Refreshed, write_months
from callkit.files.formats import month_files
from callkit.files.replacing import replacing
from callkit.normaliser import to_table
from callkit.schema import SCHEMA
from tests.support.scripted import call_body, sid

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

A, B = "AC" + "a" * 32, "AC" + "b" * 32
NOW = datetime(2025, 4, 2, 12, tzinfo=UTC)
NOTHING = Refreshed(SCHEMA.empty_table(), set())


def day(number: int, month: int = 3) -> datetime:
    return datetime(2025, month, number, tzinfo=UTC)


MIDDLE = Listed(day(10), day(20), [A])


def call(
    number: int, start: datetime | None, *, account: str = A, price: str | None = "-1", **more: Any
) -> bytes:
    """Make a call of ten minutes; without a price it is not final for thirty days."""
    form = "%a, %d %b %Y %H:%M:%S +0000"
    times: dict[str, Any] = {"status": "queued"}
    if start is not None:
        times = {
            "start_time": start.strftime(form),
            "end_time": (start + timedelta(minutes=10)).strftime(form),
            "status": "completed",
        }
    return call_body(sid(number), account_sid=account, price=price, **times | more)


def table_of(*bodies: bytes) -> pa.Table:
    return to_table(bodies)[0]


def write(folder: Path, *bodies: bytes, now: datetime = NOW, **said: Any) -> Path:
    """Write calls as an export does."""
    folder.mkdir()
    attributes = {
        "calls_got": len(bodies),
        "as_of_first": now.isoformat(),
        "as_of_last": now.isoformat(),
    }

    def are_final(table: pa.Table) -> list[bool]:
        return final_rows(table, [now] * len(table))

    with month_files(folder, SCHEMA, lambda: {"callkit": attributes | said}, are_final) as calls:
        calls(table_of(*bodies))
    return folder


def refreshed(*bodies: bytes, not_final: Iterable[int] = ()) -> Refreshed:
    return Refreshed(table_of(*bodies), set(map(sid, not_final)))


def update(
    target: Path,
    *new: bytes,
    listed: Listed = MIDDLE,
    months: Iterable[str] = ("2025-03",),
    again: Refreshed = NOTHING,
    keep: Iterable[int] = (),
    **said: Any,
) -> None:
    shutil.rmtree(target.with_name("new"), ignore_errors=True)
    folder = write(target.with_name("new"), *new, **said)
    with replacing(target, folder=True) as replacement:
        write_months(
            replacement.months(),
            target,
            folder,
            listed,
            listed_months=set(months),
            refreshed=again,
            keep=set(map(sid, keep)),
        )


def numbers(sids: Iterable[str]) -> list[int]:
    return [int(each.removeprefix("CA"), 16) for each in sids]


def held(target: Path) -> list[int]:
    return numbers(callkit.read_parquet(target)["sid"])


def in_month(target: Path, month: str) -> list[int]:
    return numbers(pq.ParquetFile(file_of(target, month)).read()["sid"].to_pylist())


def file_of(target: Path, month: str) -> Path:
    return target / f"month={month}" / "part-0.parquet"


def footer(target: Path, month: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(pq.read_metadata(file_of(target, month)).metadata[b"callkit"])
    return said


def not_final(target: Path, month: str) -> list[int]:
    listed = pq.read_metadata(file_of(target, month)).metadata[b"callkit.not_final"]
    return numbers(json.loads(listed))


def contents(target: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}


def prices(target: Path) -> dict[int, int | None]:
    found = callkit.read_parquet(target)["price"].tolist()
    each_price = (None if pd.isna(price) else int(price) for price in found)
    return dict(zip(held(target), each_price, strict=True))
