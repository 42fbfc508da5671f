"""The API without a server: an adapter for requests that answers in this process."""

from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from callkit.sandbox.answers import Api, Request

BASE_URL = "https://sandbox.invalid"
"""A host that no resolver knows (RFC 6761), should a request ever leave this process."""


class _Adapter(BaseAdapter):
    """Answers at once; there is nothing to time out, to verify or to close."""

    def __init__(self, api: Api) -> None:
        super().__init__()
        self._api = api

    def send(
        self, request: requests.PreparedRequest, *_args: Any, **_options: Any
    ) -> requests.Response:
        path = unquote(urlsplit(request.url or "").path)
        authorization = request.headers.get("Authorization", "")
        if isinstance(authorization, bytes):
            authorization = authorization.decode("latin-1")
        answer = self._api.answer(Request(request.method or "GET", path, authorization))
        response = requests.Response()
        response.status_code = answer.status
        response.headers = CaseInsensitiveDict(answer.all_headers())
        response.headers["content-length"] = str(len(answer.body))
        response.raw = BytesIO(b"" if request.method == "HEAD" else answer.body)
        response.request, response.url = request, request.url or ""
        return response

    def close(self) -> None:
        pass


def answered_by(api: Api, session: requests.Session | None = None) -> requests.Session:
    """Make a session (a new one by default) whose requests to :data:`BASE_URL` `api` answers."""
    session = session or requests.Session()
    session.mount(BASE_URL, _Adapter(api))
    return session
