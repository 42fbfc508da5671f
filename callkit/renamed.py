"""Public names of version 0.1 that changed: using one raises an error that names the new one."""

from collections.abc import Callable
from inspect import Signature, signature
from typing import NoReturn, TypeVar

_T = TypeVar("_T")

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


def renamed_attributes(**names: str) -> Callable[[type[_T]], type[_T]]:
    """Make the old names of attributes of a class raise errors that name the new ones."""

    def refuse(self: object, name: str) -> NoReturn:
        hint = f"; it was renamed: use {names[name]!r}" if name in names else ""
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}")

    def decorate(cls: type[_T]) -> type[_T]:
        setattr(cls, "__getattr__", refuse)  # noqa: B010  (unseen, so that checkers report old names)
        return cls

    return decorate


def signature_of_init(init: Callable[..., None]) -> Signature:
    with_self = signature(init)
    return with_self.replace(parameters=list(with_self.parameters.values())[1:])
