"""Parquet files with bits flipped, pages exchanged and ends cut off."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import callkit
from callkit.errors import InvalidSidError, ParquetError, SidListError
from callkit.sandbox import Sandbox
from callkit.sandbox.calls import body_of
from callkit.sids import read_sids
from tests.fuzz.damage import damaged
from tests.fuzz.kinds import RESULT, check_sentence
from tests.support.crafted import element, file_of, footer, page, plain_column

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

__all__ = ["ParquetFiles"]

_WORDS = [
    b"PAR1",
    b"\x00" * 4,
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\x80" * 9,
    b"\x15\x00",
    b"ARROW:",
]


class ParquetFiles:
    """Files of callkit's and of others, damaged: read as calls, and as SID lists."""

    at_once = 10

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="callkit-"))
        self._samples = _samples(self._folder)

    def make(self, rng: random.Random) -> bytes:
        sample = rng.choice(self._samples)
        if rng.random() < 0.5:  # in the footer, which all else is read by
            head = int.from_bytes(sample[-8:-4], "little") + 8
            return sample[:-head] + damaged(rng, sample[-head:], _WORDS)
        return damaged(rng, sample, _WORDS)

    def outcomes(self, inputs: Sequence[Any]) -> list[str]:
        return [self._outcome(octets) for octets in inputs]

    def _outcome(self, octets: bytes) -> str:
        path = self._folder / "calls.parquet"
        path.write_bytes(octets)
        try:
            list(read_sids(path))
        except (SidListError, InvalidSidError) as error:
            check_sentence(error)
        try:
            frame = callkit.read_parquet(path)
        except ParquetError as error:
            return check_sentence(error)
        frame.to_dict("list")
        return RESULT


def _samples(folder: Path) -> list[bytes]:
    sandbox = Sandbox(calls=1_000, seed=13)
    calls = callkit.normalise([body_of(sandbox.call(sid)) for sid in sandbox.sids(40)])
    calls.attrs["callkit"] = {"calls_asked": 40}
    mine = pd.DataFrame({"sid": calls["sid"], "n": 1, "c": pd.Categorical(["b"] * 40, ["b", "a"])})
    path = folder / "sample.parquet"
    samples = []
    for frame in (calls, mine, callkit.cost_breakdown(calls, "direction", freq="D")):
        callkit.to_parquet(frame, path)
        samples.append(path.read_bytes())
    for options in ({"compression": "snappy"}, {"compression": "none", "use_dictionary": False}):
        pq.write_table(pa.Table.from_pandas(calls), path, row_group_size=15, **options)
        samples.append(path.read_bytes())
    samples.append(plain_column(page(1, b"\x22\0\0\0" + calls["sid"][0].encode()), 1))
    samples.append(file_of(footer([element("root", 1), element("sid")], said=b'{"a": [[1]]}')))
    return samples
