from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from callkit.regular_files import check_regular_or_absent
from tests.support.special_files import each_special_file, traces_of_use

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.special_files import Make


@each_special_file
def test_what_is_no_regular_file_is_refused_by_its_kind_and_untouched(
    tmp_path: Path, make: Make, kind: str
) -> None:
    make(tmp_path / "calls")
    before = traces_of_use(tmp_path / "calls")
    with pytest.raises(OSError, match=f"Expected a regular file, or none yet, but it is {kind}"):
        check_regular_or_absent(tmp_path / "calls")
    assert traces_of_use(tmp_path / "calls") == before


def test_a_file_and_a_link_to_one_are_there(tmp_path: Path) -> None:
    (tmp_path / "calls").touch()
    (tmp_path / "link").symlink_to("calls")
    assert check_regular_or_absent(tmp_path / "calls")
    assert check_regular_or_absent(tmp_path / "link")


def test_a_name_that_nothing_has_is_absent(tmp_path: Path) -> None:
    assert not check_regular_or_absent(tmp_path / "calls")


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        check_regular_or_absent(tmp_path / "file" / "calls")
