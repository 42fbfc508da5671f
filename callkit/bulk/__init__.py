"""Twilio's Bulk Export files: ``sources`` finds them, ``lines`` reads them, ``run`` makes tables.

A file has one JSON object per line and is compressed by gzip, as a rule. Files are read one after
the other, and what is damaged loses nothing else.
"""

from callkit.bulk.sources import BulkExport

__all__ = ["BulkExport"]
