"""The ``callkit`` command."""

from callkit.cli.command import main

__all__ = ["main"]
