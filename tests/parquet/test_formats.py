from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from callkit import ParquetError
from callkit.parquet.formats import format_named

if TYPE_CHECKING:
    from callkit.parquet.formats import FormatName


@pytest.mark.parametrize(
    ("name", "path", "sentence"),
    [
        ("parquet", "y.CSV", "'y.CSV' would hold parquet: say format='csv', or name it otherwise"),
        ("csv", "y.PARQUET", "'y.PARQUET' would hold csv: say format='parquet'"),
        ("csv", "y.XLSX", "'y.XLSX' is named like a workbook"),
    ],
)
def test_an_ending_in_capitals_promises_the_same_format(
    name: FormatName, path: str, sentence: str
) -> None:
    with pytest.raises(ParquetError, match=sentence):
        format_named(name, Path(path), by_month=False)


def test_a_format_may_have_its_ending_in_capitals() -> None:
    upper = format_named("csv", Path("y.CSV"), by_month=False)
    assert upper == format_named("csv", Path("y.csv"), by_month=False)
