"""Parquet out and in: exact types, units and descriptions in every file, never half a file.

``frames`` writes and reads a frame in hand (``columns`` holds each column to what its name
promises, ``dtypes`` has it come back with the dtype it had), ``exporting`` fetches into a file,
``places`` are where files may go.
"""

from callkit.parquet.exporting import Exported, export
from callkit.parquet.frames import read_parquet, to_parquet

__all__ = ["Exported", "export", "read_parquet", "to_parquet"]
