"""Files of calls: exact types, units and descriptions, written completely or not at all.

``parquet`` writes a DataFrame and reads it back, with the types that ``dtypes`` defines for each
column. ``exporting`` fetches into a file in one of the ``formats``. ``datasets`` is Parquet on
disk, one file or one per month; ``paths`` replaces files and protects those that must stay.
"""

from callkit.files.exporting import export
from callkit.files.formats import FormatName
from callkit.files.parquet import read_parquet, to_parquet

__all__ = ["FormatName", "export", "read_parquet", "to_parquet"]
