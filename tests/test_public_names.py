"""What a user of `callkit` sees: few names, none of them a module's, and types that can be read."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
import typing
from types import ModuleType
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

import callkit
import callkit.charts
from callkit.renamed import NAMES, renamed_attributes

MOST_NAMES = 35
MODULES = (callkit, callkit.cache, callkit.charts, callkit.errors, callkit.sandbox)
METHODS = [
    getattr(owner, name)
    for owner in (callkit.Client, callkit.Pseudonyms, callkit.sandbox.Sandbox)
    for name, value in vars(owner).items()
    if inspect.isfunction(value) and not name.startswith("_")
]
FUNCTIONS = [
    function
    for module in MODULES
    for function in (getattr(module, name) for name in module.__all__)
    if inspect.isfunction(function)
]


def test_few_names_are_public() -> None:
    assert len(callkit.__all__) <= MOST_NAMES


def test_dir_lists_the_public_names_alone() -> None:
    listed = {name for name in dir(callkit) if not name.startswith("__")}
    assert listed == set(callkit.__all__)


def test_dir_lists_charts_and_sandbox_before_they_are_used() -> None:
    code = "import sys, callkit; assert 'callkit.charts' not in sys.modules; print(*dir(callkit))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert {"charts", "sandbox"} <= set(done.stdout.split())


@pytest.mark.parametrize("use_jedi", [False, True])
def test_completion_offers_the_public_names_alone(use_jedi: bool) -> None:
    shell = InteractiveShell()  # type: ignore[no-untyped-call]
    shell.Completer.use_jedi = use_jedi
    shell.user_ns["callkit"] = callkit
    with provisionalcompleter():
        offered = {completion.text for completion in shell.Completer.completions("callkit.", 8)}
    names = {text.removeprefix("callkit").removeprefix(".") for text in offered}
    assert {name for name in names if not name.startswith("_")} == set(callkit.__all__)


def test_any_module_can_be_imported_before_the_others() -> None:
    modules = [module.name for module in pkgutil.walk_packages(callkit.__path__, "callkit.")]
    code = f"""
import importlib, sys
for name in {modules}:
    for loaded in [each for each in sys.modules if each.partition(".")[0] == "callkit"]:
        del sys.modules[loaded]
    importlib.import_module(name)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_callkit_loads_nothing_before_it_is_used() -> None:
    code = "import sys, callkit; assert 'pandas' not in sys.modules; print(callkit.Client.__name__)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "Client\n"


def test_no_function_shares_its_name_with_a_module() -> None:
    modules = [module.name for module in pkgutil.walk_packages(callkit.__path__, "callkit.")]
    for name in modules:
        if name == "callkit.__main__":
            continue
        package, _, last = name.rpartition(".")
        found = getattr(importlib.import_module(package), last, None)
        assert found is None or isinstance(found, ModuleType), name


@pytest.mark.parametrize(
    "function",
    [*FUNCTIONS, *METHODS, callkit.Client.__init__, callkit.sandbox.Sandbox.__init__],
    ids=lambda function: function.__qualname__,
)
def test_the_types_of_a_public_function_can_be_read(function: Any) -> None:
    hints = typing.get_type_hints(function)
    assert set(inspect.signature(function).parameters) - {"self"} <= hints.keys()


@pytest.mark.parametrize("name", NAMES)
def test_a_renamed_name_says_the_new_one_however_it_is_used(name: str) -> None:
    with pytest.raises(ImportError, match=f"renamed: use {NAMES[name]}"):
        getattr(callkit, name)
    with pytest.raises(ImportError, match=f"renamed: use {NAMES[name]}"):
        exec(f"from callkit import {name}")


@pytest.mark.parametrize("new", NAMES.values())
def test_a_new_name_is_there(new: str) -> None:
    module, _, name = new.rpartition(".")
    assert getattr(importlib.import_module(module), name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(callkit, "to_excel")


def test_a_renamed_attribute_says_the_new_one() -> None:
    @renamed_attributes(old="new")
    class Renamed:
        pass

    with pytest.raises(AttributeError, match="'old'; it was renamed: use 'new'"):
        _ = Renamed().old  # type: ignore[attr-defined]
    assert not hasattr(Renamed(), "other")


def test_the_signature_of_a_client_is_that_of_its_constructor() -> None:
    names = list(inspect.signature(callkit.Client).parameters)
    assert names[0] == "account_sid"
    assert "give_up_after" in names
