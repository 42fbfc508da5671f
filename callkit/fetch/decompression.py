"""Bodies decompressed to a bounded length, and large ones without waste of memory."""

import contextlib
import mmap
import zlib
from collections.abc import Iterator

_DECOMPRESSED_AT_ONCE = 1 << 12  # bytes of input, which can be a thousand times as many then
_OWN_MEMORY_FROM = 1 << 18  # bytes
_MEMBERS_AT_MOST = 1 << 12  # an empty one takes time, too
_GZIP_OR_ZLIB = 47  # https://zlib.net/manual.html: 32 + the largest window


def decompressed(body: bytes, at_most: int) -> bytes | memoryview:
    """Decompress gzip or zlib, of several members too (RFC 1952), to little more than is wanted.

    A page gets memory of its own, which goes back to the system with it; of the allocator's, each
    thread would keep a multiple.
    """
    announced = int.from_bytes(body[-4:], "little")  # where a gzip has its length
    if _OWN_MEMORY_FROM <= announced <= at_most:
        whole = mmap.mmap(-1, announced)
        with contextlib.suppress(ValueError):  # it was no length
            for piece in _pieces(body, at_most):
                whole.write(piece)
            return memoryview(whole)[: whole.tell()]
    return b"".join(_pieces(body, at_most))


def _pieces(body: bytes, at_most: int) -> Iterator[bytes]:
    length, members = 0, 1
    member = zlib.decompressobj(_GZIP_OR_ZLIB)
    for start in range(0, len(body), _DECOMPRESSED_AT_ONCE):
        piece = body[start : start + _DECOMPRESSED_AT_ONCE]
        while piece and length <= at_most:
            if member.eof:
                members += 1
                if members > _MEMBERS_AT_MOST:
                    raise zlib.error(f"it has more than {_MEMBERS_AT_MOST:,} members")
                member = zlib.decompressobj(_GZIP_OR_ZLIB)
            found = member.decompress(piece)
            length += len(found)
            yield found
            piece = member.unused_data
