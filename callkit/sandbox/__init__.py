"""The Fetch Call endpoint on loopback, over calls that are made from a number, not stored.

Nothing here is a real person, number, account or price.
"""

from __future__ import annotations

from callkit.sandbox.calls import Call
from callkit.sandbox.faults import Faults, Outage
from callkit.sandbox.process import serve
from callkit.sandbox.server import Sandbox

__all__ = ["Call", "Faults", "Outage", "Sandbox", "serve"]
