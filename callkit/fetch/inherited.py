"""The connections of the process that this one was forked from, which must never be used here."""

import os
import socket

import requests
from requests.adapters import HTTPAdapter

# Not even their buffers are freed, since a thread of the parent may have held their lock.
_kept: list[object] = []


def leave_to_parent(connection: object, *sockets: socket.socket | None) -> None:
    """Close this process's copies of sockets, without ending the connection."""
    _kept.append(connection)
    for sock in sockets:
        if sock is not None and (number := sock.detach()) >= 0:
            os.close(number)


def renew_adapters(session: requests.Session) -> None:
    """Give the adapters of a session new connections.

    As if the session had been pickled, but in place. An adapter that is not an HTTPAdapter is left
    alone.
    """
    for adapter in session.adapters.values():
        if isinstance(adapter, HTTPAdapter):
            _kept.append((adapter.poolmanager, adapter.proxy_manager))
            adapter.__setstate__(adapter.__getstate__())  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
