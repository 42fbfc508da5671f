"""How the documentation is built, and the tables that are generated from the code."""

import callkit
from callkit.breakdown.measures import COST, DURATION, IN_PROGRESS, KEYS, TREES
from callkit.schema import ATTRIBUTES, Column

project = "callkit"
project_copyright = "the callkit developers"
release = callkit.__version__

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx_copybutton"]
html_theme = "furo"
html_title = f"callkit {release}"

autodoc_typehints = "none"  # docstrings describe the types in words
numpydoc_show_class_members = False
myst_enable_extensions = ["substitution"]
myst_heading_anchors = 3
copybutton_prompt_text = r">>> |\.\.\. ?|\$ "
copybutton_prompt_is_regexp = True
copybutton_selector = "div:not(.highlight-text) > div.highlight > pre"  # not on output


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
