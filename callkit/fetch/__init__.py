"""Fetching calls over HTTP: raw bodies in, no types."""

from callkit.fetch.client import Client
from callkit.fetch.concurrency import RetryPolicy

__all__ = ["Client", "RetryPolicy"]
