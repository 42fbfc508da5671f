"""Faults that are an answer in another's place: whole, in good form, and not what was asked for."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from callkit.sandbox import answers
from callkit.sandbox.answers import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import Scope

    from callkit.sandbox.faults.plan import Faults, Kind
    from callkit.sandbox.world import World

__all__ = ["ELSEWHERE", "Substitutes", "accepts_gzip"]

ELSEWHERE = "/elsewhere"
"""The path, under another host name, to which a redirect leads."""

_HTML = b"text/html; charset=utf-8"
_PROXY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>upstream</body></html>\r\n"
_PORTAL_PAGE = b"<!doctype html><title>Welcome</title><p>Accept the terms to use this network.\n"


class Substitutes:
    """What is sent instead of the right answer."""

    def __init__(self, plan: Faults, world: World) -> None:
        self._plan = plan
        self._world = world
        self._of: Mapping[Kind, Callable[[Answer, Scope], Answer]] = {
            "401": lambda *_: answers.unauthorized(),
            "429": lambda *_: answers.too_many(None),
            "429_retry_after": lambda *_: answers.too_many(plan.retry_after),
            "500": lambda *_: answers.internal_error(),
            "502": lambda *_: Answer(502, _PROXY_PAGE, content_type=_HTML),
            "503": lambda *_: answers.unavailable(),
            "gzip": _compressed,
            "html": lambda *_: Answer(200, _PORTAL_PAGE, content_type=_HTML),
            "invalid_json": _unfinished,
            "other_call": self._other_call,
            "redirect": self._redirect,
            "redirect_loop": _redirect_to_itself,
        }

    def of(self, kind: Kind, right: Answer, scope: Scope) -> Answer:
        """Find what `kind` puts in the place of the `right` answer: by default, nothing else."""
        substitute = self._of.get(kind)
        return right if substitute is None else substitute(right, scope)

    def _other_call(self, _right: Answer, scope: Scope) -> Answer:
        return answers.found(self._world.neighbour(scope["path_params"]["sid"]))

    def _redirect(self, _right: Answer, scope: Scope) -> Answer:
        here = f"http://localhost:{scope['server'][1]}{ELSEWHERE}{scope['path']}"
        target = self._plan.redirect_to or here
        return Answer(302, b"", ((b"location", target.encode()),))


def accepts_gzip(scope: Scope) -> bool:
    """Say whether the client takes compressed bodies."""
    accepted = [value for name, value in scope["headers"] if name == b"accept-encoding"]
    return b"gzip" in b",".join(accepted)


def _compressed(right: Answer, _scope: Scope) -> Answer:
    headers = (*right.headers, (b"content-encoding", b"gzip"))
    return right._replace(body=gzip.compress(right.body, mtime=0), headers=headers)


def _unfinished(right: Answer, _scope: Scope) -> Answer:
    return Answer(200, right.body[: len(right.body) // 2])


def _redirect_to_itself(_right: Answer, scope: Scope) -> Answer:
    return Answer(302, b"", ((b"location", scope["path"].encode()),))
