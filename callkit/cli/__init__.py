"""The ``callkit`` command: a module for each of its commands."""

from callkit.cli.command import main

__all__ = ["main"]
