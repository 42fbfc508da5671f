"""How the documentation is built, and the parts of it that are made from the code."""

from __future__ import annotations

import callkit
from callkit.breakdown.measures import COST, DURATION, IN_PROGRESS, KEYS, TREES
from callkit.schema import ATTRIBUTES, Column

project = "callkit"
project_copyright = "the callkit developers"
release = callkit.__version__

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc"]
exclude_patterns = ["README.md"]
html_theme = "furo"
html_title = f"callkit {release}"

autodoc_typehints = "none"  # docstrings name the types, in the reader's words
numpydoc_show_class_members = False
myst_enable_extensions = ["substitution"]
myst_heading_anchors = 3


def _table(columns: tuple[Column, ...]) -> str:
    rows = [
        f"| `{column.name}` | {_holds(column)} | {column.description}{_marks(column)} |"
        for column in columns
    ]
    head = ["| column | holds | meaning |", "|---|---|---|"]
    return "\n".join([*head, *rows])


def _holds(column: Column) -> str:
    return column.kind.value if column.unit is None else f"{column.kind.value} ({column.unit})"


def _marks(column: Column) -> str:
    values = ", ".join(f"`{value}`" for value in column.vocabulary)
    return (f" One of {values}." if values else "") + (" *Personal.*" if column.personal else "")


myst_substitutions = {
    "attributes": _table(ATTRIBUTES),
    "keys": _table(KEYS),
    "cost": _table(COST),
    "duration": _table(DURATION),
    "in_progress": _table(IN_PROGRESS),
    "trees": _table(TREES),
}
