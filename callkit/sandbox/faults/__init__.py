"""Faults that the sandbox makes on purpose: planned, drawn, done and counted."""

from __future__ import annotations

from callkit.sandbox.faults.plan import Faults, Outage

__all__ = ["Faults", "Outage"]
