"""callkit: what Twilio calls cost and where the minutes went.

A date range, a list of Call SIDs or Bulk Export files go in; a typed DataFrame, Parquet, and charts
of cost and duration come out.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callkit.public import *  # noqa: F403
    from callkit.public import __all__ as __all__
    from callkit.public import __version__ as __version__
else:  # a type checker should report an unknown name

    def __getattr__(name: str) -> object:
        """Load the public names on first use, charts on their own; refuse renamed names.

        Until then, importing callkit takes no time: its command hears interrupts from the start.
        """
        public = import_module("callkit.public")
        names = ("__all__", "__version__", *public.__all__)
        globals().update({each: vars(public)[each] for each in names if each in vars(public)})
        if name in globals():
            return globals()[name]
        if name == "charts":
            return import_module("callkit.charts")
        renamed = import_module("callkit.renamed").NAMES
        if name in renamed:
            # Of an AttributeError, Python replaces the message where a name is imported.
            raise ImportError(f"callkit.{name} was renamed: use {renamed[name]}")
        raise AttributeError(f"module 'callkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, whether or not they are loaded."""
    return [*import_module("callkit.public").__all__, "__doc__", "__version__"]
