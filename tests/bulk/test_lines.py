"""Lines of files that are compressed, damaged, empty, made on Windows, or of another kind."""

from __future__ import annotations

import gzip
import io
import random

import pytest

from callkit.bulk.lines import DamagedFileError, lines_of
from tests.bulk.records import record, text

RECORDS = [record(number) for number in range(300)]
PLAIN = text(RECORDS)
ZIPPED = gzip.compress(PLAIN)


def read(content: bytes, name: str = "day.json.gz") -> list[bytes]:
    """Read all lines, and see that they are numbered through."""
    lines: list[bytes] = []
    for number, some in lines_of(io.BytesIO(content), name):
        assert number == len(lines) + 1
        lines += some
    return lines


def read_until_damage(content: bytes) -> tuple[list[bytes], DamagedFileError]:
    lines: list[bytes] = []
    try:
        for _, some in lines_of(io.BytesIO(content), "day.json.gz"):
            lines += some
    except DamagedFileError as damage:
        return lines, damage
    pytest.fail("no damage was found")


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        ZIPPED,
        gzip.compress(ZIPPED),
        b"".join(gzip.compress(text([each])) for each in RECORDS),
        ZIPPED + bytes(5_000),
        gzip.compress(PLAIN, compresslevel=0),
    ],
    ids=["plain", "gzip", "twice", "members", "padded", "stored"],
)
@pytest.mark.parametrize("name", ["day.json", "day.json.gz"])
def test_the_content_says_how_it_is_compressed(content: bytes, name: str) -> None:
    assert read(content, name) == [*RECORDS, b""]


def test_the_last_line_needs_no_end() -> None:
    assert read(gzip.compress(PLAIN.rstrip())) == RECORDS


def test_many_lines_arrive_in_batches() -> None:
    batches = list(lines_of(io.BytesIO(b"{}\n" * 10_000), "day.json"))
    assert len(batches) > 1
    assert sum(len(lines) for _, lines in batches) == 10_001


@pytest.mark.parametrize("content", [b"", gzip.compress(b"")], ids=["plain", "gzip"])
def test_a_file_may_be_empty(content: bytes) -> None:
    assert read(content, "day.json") == [b""]


@pytest.mark.parametrize("name", ["day.json.gz", "day.JSON.GZ"])
def test_a_gzip_file_without_a_byte_is_damaged(name: str) -> None:
    with pytest.raises(DamagedFileError, match="it is empty, and a gzip file never is") as caught:
        read(b"", name)
    assert caught.value.line is None


@pytest.mark.parametrize("cut", [1, 5, 9, 100, len(ZIPPED) // 2])
def test_what_precedes_the_end_of_a_truncated_file_is_read(cut: int) -> None:
    lines, damage = read_until_damage(ZIPPED[:-cut])
    assert "ends too early" in str(damage)
    assert damage.line == len(lines) + 1
    assert lines == RECORDS[: len(lines)]
    assert cut > 9 or len(lines) == len(RECORDS)


def test_what_precedes_a_damaged_place_is_read() -> None:
    stored = gzip.compress(text(RECORDS * 10), compresslevel=1)
    rng = random.Random(7)
    broken = bytearray(stored)
    broken[len(broken) // 2 :] = rng.randbytes(len(broken) - len(broken) // 2)
    lines, damage = read_until_damage(bytes(broken))
    assert "is damaged" in str(damage)
    assert "download the file again" in str(damage)
    assert len(lines) > 1_000
    assert lines[:1_000] == (RECORDS * 10)[:1_000]


def test_a_wrong_checksum_is_damage_though_all_lines_were_read() -> None:
    wrong = ZIPPED[:-8] + bytes(8)
    lines, damage = read_until_damage(wrong)
    assert "records before it may be wrong too" in str(damage)
    assert lines == RECORDS[: len(lines)]


def test_what_follows_a_gzip_file_and_is_none_is_damage() -> None:
    lines, damage = read_until_damage(ZIPPED + b"junk")
    assert lines == RECORDS
    assert "incorrect header check" in str(damage)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"[" + b",".join(RECORDS) + b"]", "a JSON array: expected one JSON object per line"),
        (b"\xef\xbb\xbf \r\n [\n{}\n]", "a JSON array"),
        (b"PK\x03\x04" + bytes(100), "a ZIP archive: extract the files first"),
        (b"PAR1" + bytes(100), "a Parquet file: callkit.read_parquet reads those"),
        (PLAIN.decode().encode("utf-16"), "UTF-16 text: expected UTF-8"),
    ],
    ids=["array", "array after a mark", "zip", "parquet", "utf-16"],
)
@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_file_of_another_kind_is_named(content: bytes, what: str, compress: type[bytes]) -> None:
    lines, damage = read_until_damage(compress(content))
    assert (lines, damage.line) == ([], None)
    assert what in str(damage)


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    lines, damage = read_until_damage(gzip.compress(PLAIN + bytes(50_000_000)))
    assert lines == RECORDS
    assert (damage.line, str(damage)) == (301, "the line is too long to be a call")
