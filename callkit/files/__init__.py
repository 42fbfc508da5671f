"""Parquet out and in: exact types, units and descriptions in every file, never half a file.

``frames`` writes a frame in hand and reads it back (``columns`` holds each column to what its name
promises); ``exporting`` fetches into a file, in one of ``formats``. ``datasets`` is Parquet on
disk, ``places`` is where files may go.
"""

from callkit.files.exporting import export
from callkit.files.formats import FormatName
from callkit.files.parquet import read_parquet, to_parquet

__all__ = ["FormatName", "export", "read_parquet", "to_parquet"]
