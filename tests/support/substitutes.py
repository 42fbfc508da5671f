"""Faults that are an answer in another's place: whole, in good form, and not what was asked for."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import TYPE_CHECKING

from callkit.sandbox.api import Answer, error, too_many, unauthorized
from callkit.sandbox.calls import body_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callkit.sandbox.api import Api, Exchange
    from tests.support.faults import Faults, Kind

__all__ = ["ELSEWHERE", "Substitutes", "accepts_gzip", "unavailable"]

ELSEWHERE = "/elsewhere"
"""The path, under another host name, to which a redirect leads."""

_HTML = "text/html; charset=utf-8"
_PROXY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>upstream</body></html>\r\n"
_PORTAL_PAGE = b"<!doctype html><title>Welcome</title><p>Accept the terms to use this network.\n"


class Substitutes:
    """What is sent instead of the right answer."""

    def __init__(self, plan: Faults, api: Api) -> None:
        self._plan = plan
        self._api = api
        self._of: Mapping[Kind, Callable[[Answer, Exchange], Answer]] = {
            "401": lambda *_: unauthorized(),
            "429": lambda *_: too_many(None),
            "429_retry_after": lambda *_: too_many(plan.retry_after),
            "500": lambda *_: _internal_error(),
            "502": lambda *_: Answer(502, _PROXY_PAGE, content_type=_HTML),
            "503": lambda *_: unavailable(),
            "gzip": _compressed,
            "html": lambda *_: Answer(200, _PORTAL_PAGE, content_type=_HTML),
            "invalid_json": _unfinished,
            "other_call": self._other_call,
            "redirect": self._redirect,
            "redirect_loop": _redirect_to_itself,
        }

    def of(self, kind: Kind, right: Answer, exchange: Exchange) -> Answer:
        """Find what `kind` puts in the place of the `right` answer: by default, nothing else."""
        substitute = self._of.get(kind)
        return right if substitute is None else substitute(right, exchange)

    def _other_call(self, _right: Answer, exchange: Exchange) -> Answer:
        """Answer with a call of the same account, if there is another."""
        request, calls = exchange.request, self._api.generator
        index = calls.index_of((request.call or ("", ""))[1]) or 0
        indices = calls.of_parent if index in calls.of_parent else calls.of_subaccount
        position = index - indices.start
        other = indices[position - 2 if position >= 2 else min(position + 2, len(indices) - 1)]
        return Answer(200, body_of(calls.call(other, self._api.now)))

    def _redirect(self, _right: Answer, exchange: Exchange) -> Answer:
        port, path = exchange.scope["server"][1], exchange.request.path
        target = self._plan.redirect_to or f"http://localhost:{port}{ELSEWHERE}{path}"
        return Answer(302, b"", (("location", target),))


def unavailable() -> Answer:
    """503: nothing is answered just now."""
    return error(503, 20503, "Service unavailable")


def accepts_gzip(exchange: Exchange) -> bool:
    """Say whether the client takes compressed bodies."""
    headers = exchange.scope["headers"]
    accepted = [value for name, value in headers if name == b"accept-encoding"]
    return b"gzip" in b",".join(accepted)


def _internal_error() -> Answer:
    return error(500, 20500, "An internal server error has occurred")


def _compressed(right: Answer, _exchange: Exchange) -> Answer:
    headers = (*right.headers, ("content-encoding", "gzip"))
    return replace(right, body=gzip.compress(right.body, mtime=0), headers=headers)


def _unfinished(right: Answer, _exchange: Exchange) -> Answer:
    return Answer(200, right.body[: len(right.body) // 2])


def _redirect_to_itself(_right: Answer, exchange: Exchange) -> Answer:
    return Answer(302, b"", (("location", exchange.request.path),))
