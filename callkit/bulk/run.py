"""The run over Bulk Export files: read, type, and hand over each call once.

A call may be in several files, and the newest record counts. So all rows wait in a temporary file
until the last one is read; of each, only a key of a few bytes stays in memory.
"""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from callkit.bulk.lines import DamagedFileError, lines_of
from callkit.bulk.sources import BulkExport
from callkit.errors import NormaliseError
from callkit.loop import attributes
from callkit.normaliser.bodies import each_typed
from callkit.normaliser.casts import failures_frame
from callkit.outcomes import Failure, PriceChange
from callkit.terminal import Bar, progress_bar
from callkit.waiting import Memory, WaitingRows, by_first_mention

_MEGABYTE = 1_000_000
_WORTH_A_BAR = 20  # megabytes


class BulkExportRun:
    """A run over files; its attributes describe what has been yielded so far."""

    keeps = False  # there is no cache

    def __init__(self, asked: BulkExport, progress: bool | None) -> None:
        self._files = asked.files
        self._progress = progress
        self._rows = WaitingRows(Memory(), by_first_mention)
        self._broken: dict[str, Failure] = {}
        self._files_failed = 0
        self.calls = 0
        self.failures: list[Failure] = []
        self.price_changes: list[PriceChange] = []

    def tables(self) -> Generator[pa.Table, None, None]:
        """Yield the calls as tables of :data:`callkit.SCHEMA`, some thousand at a time.

        A NormaliseError is raised if there are failures and no call at all.
        """
        size = sum(file.stat().st_size for file in self._files if file.is_file()) // _MEGABYTE
        with closing(self._rows):
            with progress_bar(size, self._progress, "MB", _WORTH_A_BAR) as bar:
                for file in self._files:
                    self._read(file, bar)
            valid = self._rows.among(list(self._broken))
            self.failures += [each for sid, each in self._broken.items() if sid not in valid]
            if self.failures and not self._rows.count:
                raise NormaliseError(f"No call could be read: {self.failures[0].message}")
            for table in self._rows.in_order():
                self.calls += len(table)
                yield table

    def failures_frame(self) -> pd.DataFrame:
        return failures_frame(self.failures)

    def attributes(self) -> dict[str, Any]:
        said = attributes(self.calls, len(self.failures) - self._files_failed, [])
        said["callkit"] |= {"files": len(self._files), "files_failed": self._files_failed}
        return said

    def _read(self, file: Path, bar: Bar | None) -> None:
        """Type the records of a file, and note what cannot be read."""
        try:
            raw = file.open("rb")
        except OSError as error:  # of this file: one of the temporary file must end the run
            self._fail(_where(file), f"the file cannot be opened: {error.strerror}")
            return
        megabytes = 0
        try:
            with raw:
                for number, lines in lines_of(raw, file.name):
                    calls = self._type(file, number, lines)
                    if bar is not None:
                        done = raw.tell() // _MEGABYTE - megabytes
                        megabytes += done
                        bar.add(done, calls=calls)
        except DamagedFileError as error:
            self._fail(_where(file, error.line), str(error))

    def _type(self, file: Path, first: int, lines: list[bytes]) -> int:
        """Type the records in lines, of which the first has that number; return how many there are.

        A call that is broken in one place and valid in another has not failed.
        """
        found = [place for place, line in enumerate(lines) if line and not line.isspace()]
        calls, broken = each_typed([lines[place] for place in found])
        self._rows.add(calls)
        for place, failure in broken.items():
            where = _where(file, first + found[place])
            located = replace(failure, message=f"{where}: {failure.message}")
            if failure.sid is None:
                self.failures.append(located)
            else:
                self._broken[failure.sid] = located
        return len(calls)

    def _fail(self, where: str, why: str) -> None:
        self._files_failed += 1
        self.failures.append(Failure(None, None, "bad_response", f"{where}: {why}"))


def _where(file: Path, line: int | None = None) -> str:
    return str(file) if line is None else f"{file}, line {line}"
