"""Fetching calls over HTTP: raw bodies in, no types."""

from callkit.fetch.client import Client

__all__ = ["Client"]
