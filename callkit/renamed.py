"""Public names of version 0.1 that changed: using one raises an error that names the new one."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import NoReturn, ParamSpec, TypeVar

_P = ParamSpec("_P")
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


def renamed_attributes(**names: str) -> Callable[[object, str], NoReturn]:
    """Make a ``__getattr__`` for a class whose attributes were renamed."""

    def refuse(self: object, name: str) -> NoReturn:
        hint = f"; it was renamed: use {names[name]!r}" if name in names else ""
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}")

    return refuse


def renamed_parameters(names: Mapping[str, str]) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Have a function name the new parameter where it is passed an old one."""

    def decorate(function: Callable[_P, _T]) -> Callable[_P, _T]:
        @wraps(function)
        def checked(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            for old in names.keys() & kwargs.keys():
                raise TypeError(f"the parameter {old!r} was renamed: use {names[old]!r}")
            return function(*args, **kwargs)

        return checked

    return decorate
