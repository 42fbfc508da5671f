"""Files of calls: exact types, units and descriptions, written completely or not at all.

``parquet`` writes a DataFrame and reads it back, with the types that ``dtypes`` defines for each
column. ``exporting`` fetches into a file in one of the ``formats``. ``datasets`` updates the months
of an existing dataset, which ``scanning`` reads in batches; ``footers`` merges what files say of
themselves. ``paths`` replaces files and datasets, and protects those that must stay.
"""

from callkit.files.exporting import FormatName, export
from callkit.files.parquet import read_parquet, to_parquet

__all__ = ["FormatName", "export", "read_parquet", "to_parquet"]
