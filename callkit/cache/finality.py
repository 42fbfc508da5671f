"""Which records are final, so that their calls are never requested again."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from callkit.schema import ENDED_STATUSES

_BILLED = "completed"
_UNBILLED_AFTER = timedelta(days=1)
_NEVER_PRICED_AFTER = timedelta(days=30)


def final_rows(table: pa.Table, fetched_at: Sequence[datetime]) -> list[bool]:
    """Say for each call whether its record was final when it was fetched.

    A call is final if it has ended and is priced; or ended with a status that is not billed, and
    was fetched at least a day after its end; or ended unpriced, and was fetched at least thirty
    days after. Ages count up to the fetch: a record that was fetched too early does not grow older
    in a cache. In doubt a record is not final.

    Parameters
    ----------
    table : pyarrow.Table
        Calls in :data:`callkit.SCHEMA`.
    fetched_at : sequence of datetime
        When each was fetched.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from callkit.normaliser import to_table
    >>> body = {"sid": "CA" + "0" * 32, "status": "completed", "price": "-0.017"}
    >>> table, _ = to_table([body])
    >>> final_rows(table, [datetime(2025, 4, 1, tzinfo=UTC)])
    [True]
    """
    status = table["status"].cast(pa.string())
    ended = pc.is_in(status, pa.array(ENDED_STATUSES))
    end = pc.coalesce(table["end_time"], table["date_updated"])
    age = pc.subtract(pa.array(fetched_at, end.type), end)
    wait = pc.if_else(
        pc.equal(status, _BILLED),
        pa.scalar(_NEVER_PRICED_AFTER, age.type),
        pa.scalar(_UNBILLED_AFTER, age.type),
    )
    price_is_final = pc.or_(
        table["price"].is_valid(), pc.fill_null(pc.greater_equal(age, wait), False)
    )
    final: list[bool] = pc.and_(ended, price_is_final).to_pylist()
    return final
