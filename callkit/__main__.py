"""The ``callkit`` command, also as ``python -m callkit``: its first lines hear interrupts."""

import signal
import sys

from callkit.interrupts import end_at_once, handle


def main() -> int:
    """Run the command in a process of its own; until it has loaded, an interrupt just ends it."""
    handle(end_at_once)
    try:
        from callkit.cli import main as command  # noqa: PLC0415  (it takes a second)

        return command()
    finally:
        handle(signal.SIG_DFL)  # what Python does in the end would answer with a traceback


if __name__ == "__main__":
    sys.exit(main())
