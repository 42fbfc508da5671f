"""A client that is used in a process and in those forked from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests
from requests.adapters import HTTPAdapter

import callkit
from callkit.errors import RunStoppedError
from callkit.outcomes import Fetched
from tests.support.forked import FORK, can_fork, despite_threads, ends_well_in_a_child
from tests.support.scripted import sid

if TYPE_CHECKING:
    from collections.abc import Callable

    from callkit import Client
    from tests.support.scripted import ScriptedServer

pytestmark = [can_fork, despite_threads]

_used: list[Client] = []  # by the parent, and then by its children


def _fetched(numbers: range) -> list[bool]:
    [client] = _used
    sids = list(map(sid, numbers))
    outcomes = {str(each.sid): each for each in client.fetch_many(sids)}
    assert outcomes.keys() == set(sids)
    return [isinstance(outcomes[name], Fetched) and name in str(outcomes[name]) for name in sids]


def _fetched_in_children(client: Client) -> list[bool]:
    _used[:] = [client]
    try:
        with FORK.Pool(4) as pool:
            parts = pool.map(_fetched, [range(first, first + 45) for first in range(0, 900, 45)])
    finally:
        _used.clear()
    return [is_right for part in parts for is_right in part]


def _own_adapters() -> requests.Session:
    session = requests.Session()
    session.mount("http://", type("Adapter", (HTTPAdapter,), {})())
    return session


@pytest.mark.parametrize("session", [lambda: None, requests.Session, _own_adapters])
def test_calls_are_fetched_in_forked_processes_with_a_client_used_before(
    server: ScriptedServer, session: Callable[[], requests.Session | None]
) -> None:
    with server.client(session=session()) as client:
        assert len(callkit.to_frame(map(sid, range(200)), client=client)) == 200
        assert _fetched_in_children(client) == [True] * 900


def test_a_child_leaves_the_connections_of_its_parent_open(
    server: ScriptedServer, scripted_client: Client
) -> None:
    scripted_client.fetch(sid(1))
    used = server.connections
    assert ends_well_in_a_child(scripted_client.close)
    assert ends_well_in_a_child(lambda: scripted_client.fetch(sid(2)))
    scripted_client.fetch(sid(3))
    assert server.connections == used + 1  # the second child's


def test_a_run_goes_on_in_the_process_that_started_it_alone(
    server: ScriptedServer, scripted_client: Client
) -> None:
    outcomes = scripted_client.fetch_many(map(sid, range(3_000)))
    arrived = [next(outcomes)]

    def go_on() -> None:
        with pytest.raises(RunStoppedError, match="forked during this run"):
            list(outcomes)

    assert ends_well_in_a_child(go_on)
    arrived += outcomes
    assert len(arrived) == 3_000
    assert all(isinstance(outcome, Fetched) for outcome in arrived)


def test_a_process_forked_while_locks_are_held_waits_for_none(scripted_client: Client) -> None:
    scripted_client.fetch(sid(1))
    with scripted_client._limiters.lock:
        assert ends_well_in_a_child(lambda: scripted_client.fetch(sid(2)))
