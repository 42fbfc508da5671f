"""SID lists: files as spreadsheets and scripts leave them, and whatever a user holds."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from callkit.errors import InvalidSidError, SidListError
from callkit.sids import read_sids
from tests.fuzz.damage import damaged
from tests.fuzz.kinds import RESULT, check_sentence

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

__all__ = ["SidLists"]

_SID = "CA0123456789abcdef0123456789ABCDEF"
_ACCOUNT = "AC" + "b" * 32
_SIDS = [f"CA{number:032x}" for number in range(7, 12)]
_TABLE = "\n".join(f"{sid},{_ACCOUNT},a note" for sid in _SIDS)
_FILES = [
    (".txt", "\n".join(_SIDS).encode()),
    (".txt", b"\xef\xbb\xbf" + "\r\n".join(_SIDS).encode()),
    (".txt", "\n".join(_SIDS).encode("utf-16")),
    (".csv", f"sid,account_sid,note\n{_TABLE}\n".encode()),
    (".csv", f"sid;account_sid;note\n{_TABLE.replace(',', ';')}".encode("utf-8-sig")),
    (".csv", f'"sid","account_sid","note"\r\n{_TABLE}'.encode("latin-1")),
    (".tsv", f"note\tsid\naé\t{_SID}\n\n\t{_SID.upper()}".encode()),
]
_WORDS = [
    *(b"\n", b"\r", b"\r\n", b"\t", b",", b";", b"|", b'"', b'""', b"'", b"\x00", b"\x1c", b"\x85"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\xc3\xa9", b" ", b"\x0c"),
    *(b"sid", b"account_sid", b"CA", b"AC", _SID.encode(), _SIDS[0].encode(), _ACCOUNT.encode()),
    *(b"0" * 200_000, b'"' + b"x" * 150_000, b"=cmd()", b"NaN", b"None", b"1e9"),
]
_VALUES: list[object] = [
    *(_SID, _SID.lower(), _SIDS[0], "", " ", "CA", _SID + "\n", f" {_SID}", "\ud800", "\0"),
    *(None, float("nan"), pd.NA, pd.NaT, 0, 1.5, True, b"CA", _SID.encode(), [_SID], (_SID,)),
    *({}, {"sid": _SID}, np.str_(_SID), np.int64(3), object(), "x" * 300, _ACCOUNT),
]
_HOLDERS: list[Callable[[list[Any]], object]] = [
    list,
    tuple,
    iter,
    pd.Series,
    lambda values: pd.Series(values, dtype="object").astype("category"),
    lambda values: pd.DataFrame({"sid": pd.Series(values, dtype=object)}),
    lambda values: pd.DataFrame({"sid": pd.Series(values, dtype=object), "account_sid": _ACCOUNT}),
    lambda values: pd.DataFrame({"account_sid": pd.Series(values, dtype=object), "sid": _SID}),
    lambda values: pd.DataFrame(index=pd.Index(values, name="sid", dtype=object)),
    lambda values: pd.DataFrame([[1, 2]], columns=["sid", "sid"]),
    lambda values: pd.Index(values, dtype=object),
    lambda values: np.array(values, dtype=object),
    lambda values: dict.fromkeys(map(str, values)),
    lambda values: values[0] if values else None,
]
_WHITE = re.compile(r"\s+")


class SidLists:
    """Text, CSV and TSV files in several encodings, damaged; and odd values in odd holders."""

    at_once = 50

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="callkit-"))

    def make(self, rng: random.Random) -> tuple[str, Any]:
        if rng.random() < 0.25:
            number = int(rng.random() ** 2 * 5)
            values = [_VALUES[int(rng.random() ** 2 * len(_VALUES))] for _ in range(number)]
            return "", (rng.choice(_HOLDERS), values)
        suffix, sample = rng.choice(_FILES)
        return suffix, damaged(rng, sample, _WORDS)

    def outcomes(self, inputs: Sequence[Any]) -> list[str]:
        return [self._outcome(suffix, given) for suffix, given in inputs]

    def _outcome(self, suffix: str, given: Any) -> str:
        if suffix:
            source: Any = self._folder / f"sids{suffix}"
            source.write_bytes(given)
        else:
            hold, values = given
            try:
                source = hold(values)
            except (TypeError, ValueError, Warning):
                return "pandas cannot hold that"
        try:
            keys = list(read_sids(source))
        except (SidListError, InvalidSidError) as error:
            return check_sentence(error)
        assert len({key.sid for key in keys}) == len(keys)
        assert all(re.fullmatch(r"CA[0-9a-f]{32}", key.sid) for key in keys)
        assert all(
            key.account_sid in {None, _ACCOUNT} or len(key.account_sid) == 34 for key in keys
        )
        if suffix == ".txt":
            words = filter(None, _WHITE.split(given.decode("utf-8-sig")))
            assert [key.sid for key in keys] == list(
                dict.fromkeys("CA" + word[2:].lower() for word in words)
            )
        return RESULT
