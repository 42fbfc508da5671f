"""What files of calls say of themselves: as-of times and ranges, read and merged."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from callkit.errors import ParquetError


def attributes_in(written: bytes, path: Path) -> dict[str, Any]:
    attributes = _decoded(written)
    if not isinstance(attributes, dict):
        raise ParquetError(f"{str(path)!r} is damaged: its metadata 'callkit' is not a JSON object")
    return attributes


def sids_in(written: bytes, path: Path) -> list[str]:
    sids = _decoded(written)
    if not isinstance(sids, list) or not all(isinstance(sid, str) for sid in sids):
        raise ParquetError(
            f"{str(path)!r} is damaged: its metadata 'callkit.not_final' is not a JSON list of SIDs"
        )
    return sids


def outermost_as_of(said: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Merge as-of times that all files have; a file of no calls has None."""
    found = {}
    for key, outermost in (("as_of_first", min), ("as_of_last", max)):
        if all(key in each for each in said):
            instants = [each[key] for each in said if each[key] is not None]
            try:
                found[key] = outermost(instants, key=datetime.fromisoformat, default=None)
            except (TypeError, ValueError):  # this is somebody else's
                found[key] = None
    return found


def united_ranges(said: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Merge the ranges that were listed, if they overlap or touch and are of the same accounts."""
    accounts = said[0].get("accounts")
    if not all("started" in each and each.get("accounts") == accounts for each in said):
        return {}
    try:
        (start, end), *others = sorted(
            (datetime.fromisoformat(start), datetime.fromisoformat(end))
            for start, end in (each["started"] for each in said)
        )
        for first, last in others:
            if first > end:
                return {}
            end = max(end, last)
    except (TypeError, ValueError):  # this is somebody else's
        return {}
    return {"started": [start.isoformat(), end.isoformat()]}


def _decoded(written: bytes) -> Any:
    try:
        return json.loads(written)
    except ValueError:
        return None
