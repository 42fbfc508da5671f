"""What a user looks up is written as numpydoc has it, by numpydoc's own validator."""

from __future__ import annotations

import inspect

import pytest
from numpydoc.validate import ERROR_MSGS, validate

import callkit
import callkit.charts
import callkit.sandbox

STYLE = {code for code in ERROR_MSGS if code.startswith(("GL", "SS"))}
# No "See Also", and no second paragraph where the first says it all; options that several functions
# share are described once, together.
COMPLETE = set(ERROR_MSGS) - {"SA01", "ES01", "PR03", "PR04"}

PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (callkit, callkit.cache, callkit.charts, callkit.errors, callkit.sandbox)
    for name in module.__all__
    if inspect.isclass(getattr(module, name)) or inspect.isfunction(getattr(module, name))
}
METHODS = [
    f"{owner}.{name}"
    for owner in ("callkit.Client", "callkit.sandbox.Sandbox")
    for name in vars(PUBLIC[owner])
    if not name.startswith("_")
]
CALLED = [
    *(name for name, value in PUBLIC.items() if inspect.isfunction(value)),
    *("callkit.Client", "callkit.Client.fetch", "callkit.Client.fetch_many"),
    "callkit.sandbox.Sandbox",
]


def broken(name: str, rules: set[str]) -> list[tuple[str, str]]:
    """List the rules that a docstring breaks, each with what is wrong."""
    return [(code, message) for code, message in validate(name)["errors"] if code in rules]


@pytest.mark.parametrize("name", sorted({*PUBLIC, *METHODS} - set(CALLED)))
def test_every_public_name_has_a_docstring_in_form(name: str) -> None:
    assert broken(name, STYLE) == []


@pytest.mark.parametrize("name", CALLED)
def test_what_is_called_says_what_goes_in_what_comes_out_and_shows_it(name: str) -> None:
    assert broken(name, COMPLETE) == []
