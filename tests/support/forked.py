"""Processes forked in the middle of things."""

from __future__ import annotations

import multiprocessing
import os
import traceback
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

can_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no processes")
# Python warns of the threads of the process that is forked: they are what is tested.
despite_threads = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")

FORK = multiprocessing.get_context("fork") if hasattr(os, "fork") else multiprocessing


def ends_well_in_a_child(act: Callable[[], object]) -> bool:
    """Whether a child that unwinds from here, and ends as a program does, meets no exception."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            act()
            code = 0
        except BaseException:  # noqa: BLE001  (it is shown)
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
