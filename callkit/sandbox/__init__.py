"""Twilio's API for synthetic calls: no real person, number, account or price."""

from callkit.sandbox.calls import Call
from callkit.sandbox.sandbox import Sandbox, sample, serve

__all__ = ["Call", "Sandbox", "sample", "serve"]
