"""The cache, one SQLite file of call bodies, and the functions that manage it."""

from callkit.cache.admin import CacheInfo, erase, info, prune

__all__ = ["CacheInfo", "erase", "info", "prune"]
