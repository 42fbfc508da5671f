"""Bulk Export files → DataFrame."""

from collections.abc import Sequence

import pandas as pd

from callkit.bulk.sources import BulkExport, Paths
from callkit.calls import Errors, to_frame


def read_bulk_export(
    paths: Paths, *, errors: Errors = "raise", columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read calls from Twilio's Bulk Export files into a typed DataFrame.

    Columns and dtypes are those of :func:`to_frame`; ``uri`` and ``subresource_uris`` are null,
    since the files do not have them. callkit's own JSON Lines are read back exactly.

    Parameters
    ----------
    paths : str, path, or iterable of them
        Files, folders (with all that is below), or patterns such as ``exports/*.json.gz``. In a
        folder, files that end in ``.json``, ``.json.gz``, ``.jsonl`` or ``.jsonl.gz`` are read, in
        the order of their names. Each file is read once, compressed or not.
    errors : {"raise", "warn"}, default "raise"
        Whether to raise or warn, at the end, if records or files could not be read.
    columns : sequence of str, optional
        The columns to return, in this order; by default all of :data:`callkit.SCHEMA`.

    Returns
    -------
    pandas.DataFrame
        One row per distinct call, in the order of first mention. ``df.attrs["callkit"]`` holds
        counts of calls and files. Its as-of times are null: the files do not say when they were
        made, and when they were last written is something else.

    Raises
    ------
    BulkExportError
        A path, folder or pattern leads to no file.
    NormaliseError
        A record breaks the contract, or a file is damaged or of another kind. ``.failures`` says
        which file and line; all that could be read is in ``.frame``.

    Warns
    -----
    IncompleteWarning
        The same, with ``errors="warn"``.

    Notes
    -----
    - A file has one JSON object per line. Empty lines, Windows line endings and a byte order mark
      make no difference. The contract is that of :func:`normalise`.
    - If a call has several records, as where a day was exported twice, the one with the newest
      ``date_updated`` counts, of equal ones the last. A broken record counts only if there is no
      valid one.
    - Rows wait in a temporary file until all files are read. Files that are larger than memory
      become Parquet with :func:`export` and :class:`BulkExport`.

    Examples
    --------
    Some calls in these files have no price. If they are not too old, the API has it:

    >>> from callkit.sandbox import Sandbox
    >>> sandbox = Sandbox(calls=100)
    >>> client = sandbox.client()
    >>> callkit.export(sandbox.sids(50), "2025-03-15.jsonl", format="jsonl", client=client)
    FetchResult(50 calls in '2025-03-15.jsonl', no failures)
    >>> df = callkit.read_bulk_export("2025-03-15.jsonl")
    >>> unpriced = df[df.price.isna()]
    >>> len(callkit.to_frame(unpriced, client=client)) == len(unpriced)
    True
    """
    return to_frame(BulkExport(paths), errors=errors, columns=columns)
