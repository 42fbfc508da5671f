"""What files of calls say of themselves: as-of times and ranges, read and merged."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from callkit.errors import ParquetError

_COVERAGE = ("started", "accounts", "accounts_closed")
_MOST_LEVELS = 20  # of objects and lists: Python cannot copy what is nested very deeply
_LISTED = (*_COVERAGE, "tz", "filters")


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


def in_all(said: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what is equal in all files."""
    first, *others = said
    return {
        key: value
        for key, value in first.items()
        if all(key in other and other[key] == value for other in others)
    }


def with_coverage(agreed: dict[str, Any], said: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Replace what was listed by what all these files say of it, and by their united range."""
    listed = {key: value for key, value in in_all(said).items() if key in _LISTED}
    listed.pop("started", None)
    if all(each.get("accounts") == said[0].get("accounts") for each in said):
        listed |= _united_ranges(said)
    return {key: value for key, value in agreed.items() if key not in _LISTED} | listed


def brought_up_to_date(new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """Describe a file that a new export was merged into: as the export, but for what it covers."""
    said = {key: value for key, value in new.items() if key not in _COVERAGE}
    if new.get("tz") != old.get("tz", new.get("tz")):
        said.pop("tz", None)
    return said | _merged_coverage(new, old)


def _merged_coverage(new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """Say of which accounts, in which range, two files together hold all calls.

    That is their united range only where both are of the same accounts. What one says of more
    accounts stays true; of two that each have accounts of their own, no range is true.
    """
    new, old = map(without_gaps, (new, old))
    ours, theirs = (set(_names(each, "accounts")) for each in (new, old))
    if ours >= theirs and ("started" in new or not theirs):
        both = _united_ranges([new, old]) if ours == theirs else {}
        return {key: new[key] for key in _COVERAGE if key in new} | both
    if ours <= theirs:
        return {key: old[key] for key in _COVERAGE if key in old}
    return {
        key: list(dict.fromkeys([*_names(new, key), *_names(old, key)]))
        for key in ("accounts", "accounts_closed")
    }


def without_gaps(said: dict[str, Any]) -> dict[str, Any]:
    """Leave out the range of a listing of which days failed: not all of its calls are there."""
    failed = said.get("days_failed")
    return {key: value for key, value in said.items() if not (failed and key == "started")}


def _names(said: dict[str, Any], key: str) -> list[str]:
    names = said.get(key)
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return names
    return []  # not stated, or written by another tool


def _united_ranges(said: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Merge the ranges that were listed, if they overlap or touch."""
    try:
        (start, end), *others = sorted(
            (datetime.fromisoformat(start), datetime.fromisoformat(end))
            for start, end in (each["started"] for each in said)
        )
        for first, last in others:
            if first > end:
                return {}
            end = max(end, last)
    except (KeyError, TypeError, ValueError):  # not stated, or written by another tool
        return {}
    return {"started": [start.isoformat(), end.isoformat()]}


def _decoded(written: bytes) -> Any:
    try:
        decoded = json.loads(written)
    except (ValueError, RecursionError):
        return None
    return decoded if _is_shallow(decoded, _MOST_LEVELS) else None


def _is_shallow(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(each, levels - 1) for each in inner)
