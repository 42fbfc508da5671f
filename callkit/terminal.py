"""The terminal or notebook that a run reports to: the progress bar, and a stream for messages."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

import tqdm

with warnings.catch_warnings():
    # Without ipywidgets, a notebook shows a text bar; the warning about it is noise.
    warnings.simplefilter("ignore", tqdm.TqdmWarning)
    import tqdm.auto

from callkit.fetch.pool import Pool

_AT_THE_END = "{n_fmt}/{total_fmt}{unit} [{elapsed}{postfix}]"  # a rate would be the last moment's


class Reports:
    """A stream for reports, such as standard error, of which no write fails.

    What cannot be written is dropped, since no report decides how a run ends: the stream may be
    closed, or None (under pythonw), its disk full, its reader gone.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if self._stream is not None:
            with suppress(OSError, ValueError):
                self._stream.write(_encodable(text, self._stream))
                self._stream.flush()
        return len(text)

    def flush(self) -> None:
        """Do nothing: what was written is flushed already."""

    def isatty(self) -> bool:
        try:
            return self._stream is not None and self._stream.isatty()
        except ValueError:  # closed
            return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _encodable(text: str, stream: TextIO) -> str:
    """Write characters that the encoding of a stream lacks as escapes."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


class Bar:
    def __init__(self, bar: "tqdm.std.tqdm[Any]") -> None:
        self._bar = bar
        self._counts = {"calls": 0, "from pages": 0, "failed": 0}
        self._pool: Pool | None = None

    def add(self, number: int, pool: Pool | None = None, **counts: int) -> None:
        """Count calls (or days) as they arrive, in any order: a slow one does not stop the bar."""
        self._count(counts)
        self._pool = pool or self._pool
        if self._bar.update(number):
            self.describe()

    def add_cached(self, number: int, **counts: int) -> None:
        """Count calls (or days) of the cache: rate and remaining time are those of fetched ones."""
        self._count(counts)
        self._bar.initial += number
        self._bar.last_print_n += number
        self._bar.n += number
        self._bar.refresh()

    def _count(self, counts: dict[str, int]) -> None:
        for name, count in counts.items():
            self._counts[name] += count

    def describe(self) -> None:
        counts = self._counts | (self._pool.traffic if self._pool is not None else {})
        self._bar.set_postfix({name: f"{count:,}" for name, count in counts.items() if count})


@contextmanager
def progress_bar(
    total: int | None, progress: bool | None, unit: str, worth_it: int
) -> Iterator[Bar | None]:
    """Show the progress of `total` calls or days, None if unknown; yield None if no bar is shown.

    If `progress` is None, a terminal or a notebook shows a bar for at least `worth_it` of them.
    """
    errors = Reports(sys.stderr)
    in_notebook = "ipykernel.zmqshell" in sys.modules
    if progress is None:
        long = total is None or total >= worth_it
        progress = long and (in_notebook or errors.isatty())
    if not progress:
        yield None
        return
    place = sys.stdout if in_notebook else errors  # a notebook shows the latter as alarm
    # Updated several times a second, also with nothing: it then shows what it has not shown yet.
    with tqdm.auto.tqdm(total=total, unit=f" {unit}", smoothing=0.1, miniters=1, file=place) as bar:
        shown = Bar(bar)
        try:
            yield shown
        finally:
            bar.bar_format = _AT_THE_END
            shown.describe()
