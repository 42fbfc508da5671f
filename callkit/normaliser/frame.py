"""The Arrow table → the DataFrame, with the dtypes that the design promises."""

import pandas as pd
import pyarrow as pa

from callkit.normaliser.casts import categorical
from callkit.schema import ATTRIBUTES, SCHEMA

_VOCABULARIES = {column.name: column.vocabulary for column in ATTRIBUTES}


def table_to_frame(table: pa.Table) -> pd.DataFrame:
    """Make a DataFrame of an Arrow table, any columns of it, without a dtype left to the data.

    Parameters
    ----------
    table : pyarrow.Table
        Columns of :data:`callkit.SCHEMA`, or others of the same types.

    Returns
    -------
    pandas.DataFrame
        Text as ``str``; dictionaries as ``category``, the schema's vocabulary first; instants as
        ``datetime64[us, UTC]``; the schema's durations as ``timedelta64[ms]`` (in whole seconds
        pandas would truncate a mean), others in their own unit; decimals exact, backed by Arrow.

    Examples
    --------
    >>> price = pa.array(["-0.01700000"]).cast(pa.decimal128(18, 8))
    >>> table_to_frame(pa.table({"price": price})).dtypes["price"]
    decimal128(18, 8)[pyarrow]
    """
    for place, field in enumerate(table.schema):
        column = table.column(place)
        if pa.types.is_dictionary(field.type):
            column = categorical(column, _VOCABULARIES.get(field.name, ()))
        elif pa.types.is_duration(field.type) and field.name in SCHEMA.names:
            column = column.cast(pa.duration("ms"))
        else:
            continue
        table = table.set_column(place, field.with_type(column.type), column)
    table = table.replace_schema_metadata(None)  # what pandas wrote there may be damaged
    decimals = {
        kind: pd.ArrowDtype(kind) for kind in table.schema.types if pa.types.is_decimal(kind)
    }
    frame: pd.DataFrame = table.to_pandas(types_mapper=decimals.get)
    return frame
