from __future__ import annotations

import gzip
import random
import zlib

import pytest

from callkit.fetch.decompression import decompressed

LARGE = random.Random(1).randbytes(50_000) * 20  # as large as a page
SMALL = b'{"sid": "CA1"}'
AT_MOST = 1 << 21


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        (gzip.compress(LARGE), LARGE),
        (gzip.compress(SMALL), SMALL),
        (zlib.compress(LARGE), LARGE),
        (gzip.compress(LARGE) + gzip.compress(SMALL), LARGE + SMALL),
        (gzip.compress(SMALL) + gzip.compress(LARGE), SMALL + LARGE),
        (b"", b""),
    ],
    ids=["large", "small", "zlib", "large and small members", "small and large members", "none"],
)
def test_a_body_is_whole(sent: bytes, body: bytes) -> None:
    assert decompressed(sent, AT_MOST) == body


@pytest.mark.parametrize("announced", [300_000, 1_500_000])
def test_a_body_of_another_length_than_it_announces_is_refused(announced: int) -> None:
    with pytest.raises(zlib.error):
        decompressed(gzip.compress(LARGE)[:-4] + announced.to_bytes(4, "little"), AT_MOST)


def test_a_body_that_is_too_long_is_recognisable_and_not_decompressed_to_its_end() -> None:
    found = decompressed(gzip.compress(bytes(1 << 28)), AT_MOST)
    assert AT_MOST < len(found) < 1 << 23


def test_a_body_of_countless_empty_members_is_refused() -> None:
    with pytest.raises(zlib.error, match="more than 4,096 members"):
        decompressed(gzip.compress(b"") * 5_000, AT_MOST)


def test_what_is_not_compressed_is_refused() -> None:
    with pytest.raises(zlib.error):
        decompressed(SMALL, AT_MOST)
