"""The cache: one SQLite file of calls as they came. Here is what looks after such a file."""

from callkit.cache.admin import CacheInfo, erase, info, prune

__all__ = ["CacheInfo", "erase", "info", "prune"]
