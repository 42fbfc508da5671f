"""Parquet out and in: exact types, units and descriptions in every file, never half a file.

``frames`` writes a frame in hand and ``reading`` reads it back (``columns`` holds each column to
what its name promises, ``dtypes`` has it come back with the dtype it had); ``exporting`` fetches
into a file. ``writers``, ``months`` and ``text`` write one format each, ``formats`` lists them,
``places`` and ``folders`` are where files may go.
"""

from callkit.parquet.exporting import export
from callkit.parquet.formats import FormatName
from callkit.parquet.frames import to_parquet
from callkit.parquet.reading import read_parquet

__all__ = ["FormatName", "export", "read_parquet", "to_parquet"]
