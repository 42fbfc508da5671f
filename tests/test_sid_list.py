"""A SID list, read without waiting for it."""

from __future__ import annotations

from callkit.interrupts import Interrupts
from callkit.sid_list import SidList
from callkit.sids import CallKey
from tests.support.scripted import sid


def test_a_generator_of_cached_calls_is_read_twice_as_many_at_a_time() -> None:
    generated = SidList(CallKey(sid(number), None) for number in range(100))
    sizes = []
    for _ in range(4):
        sizes.append(len(generated.read(50, None, Interrupts())))
        generated.missing = 0
        generated.read(0, None, Interrupts())  # no room for more calls
    assert sizes == [1, 2, 4, 8]
