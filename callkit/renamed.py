"""Public names of version 0.1 that changed: using one raises an error that names the new one."""

from collections.abc import Callable
from inspect import Signature, signature
from typing import NoReturn

NAMES = {
    "CacheInfo": "callkit.cache.CacheInfo",
    "Summary": "callkit.breakdown.Summary",
    "cache_info": "callkit.cache.info",
    "erase_from_cache": "callkit.cache.erase",
    "prune_cache": "callkit.cache.prune",
} | {
    name: f"callkit.errors.{name}"
    for name in (
        *("CacheError", "CacheWarning", "CallFailedError", "CredentialsError", "FetchInterrupted"),
        *("FrameError", "IncompleteError", "IncompleteWarning", "InvalidSidError"),
        *("NormaliseError", "ParquetError", "PriceChangeWarning", "RunStoppedError"),
        *("SandboxError", "SidListError", "SignInError", "WrongAccountError"),
    )
}


def renamed_attributes(**names: str) -> Callable[[object, str], NoReturn]:
    """Make a ``__getattr__`` for a class whose attributes were renamed."""

    def refuse(self: object, name: str) -> NoReturn:
        hint = f"; it was renamed: use {names[name]!r}" if name in names else ""
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}")

    return refuse


def signature_of_init(init: Callable[..., None]) -> Signature:
    """Return the signature of a class from its ``__init__``."""
    with_self = signature(init)
    return with_self.replace(parameters=list(with_self.parameters.values())[1:])
