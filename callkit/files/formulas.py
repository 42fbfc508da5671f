"""Cells of CSV files that a spreadsheet would take for formulas, made text and back again."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# What spreadsheets evaluate, also after they have trimmed a cell, and in full width
# (https://owasp.org/www-community/attacks/CSV_Injection); and what marks a cell as text, so that
# exactly what was escaped is restored.
_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'")
_MARK = "'"


def escaped(cell: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet might evaluate."""
    return f"{_MARK}{cell}" if isinstance(cell, str) and cell.startswith(_BEGINNINGS) else cell


def restored(table: pa.Table) -> pa.Table:
    """Take away the apostrophes that :func:`escaped` put before text."""
    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            text = pc.replace_substring_regex(table[place], f"^{_MARK}", "")
            table = table.set_column(place, field, text)
    return table
