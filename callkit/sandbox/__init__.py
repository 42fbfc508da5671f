"""Twilio's Fetch Call endpoint over calls that are made from a number, not stored.

Nothing here is a real person, number, account or price.
"""

from callkit.sandbox.calls import Call
from callkit.sandbox.sandbox import Sandbox, sample, serve

__all__ = ["Call", "Sandbox", "sample", "serve"]
