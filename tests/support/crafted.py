"""Parquet files that no tool writes: footers of Thrift's compact protocol, put together by hand."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["I64", "element", "file_of", "footer", "page", "plain_column", "table_file"]

Field: TypeAlias = tuple[int, int, bytes]  # its number, kind and value

_I32, I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12
_BYTE_ARRAY, _ZSTD = 6, 6


def file_of(footer: bytes, data: bytes = b"") -> bytes:
    return b"PAR1" + data + footer + struct.pack("<I", len(footer)) + b"PAR1"


def footer(
    schema: Sequence[bytes], rows: int = 0, groups: Sequence[bytes] = (), said: bytes | None = None
) -> bytes:
    fields = [_number(1, 2), _list(2, schema), _number(3, rows, I64), _list(4, groups)]
    if said is not None:
        fields.append(_list(5, [_struct([_text(1, b"callkit"), _text(2, said)])]))
    return _struct(fields)


def element(name: str, children: int | None = None) -> bytes:
    """Make an element of a schema: a required column of bytes, or a group of others."""
    if children is None:
        return _struct([_number(1, _BYTE_ARRAY), _number(3, 0), _text(4, name.encode())])
    return _struct([_number(3, 0), _text(4, name.encode()), _number(5, children)])


def page(values: int, body: bytes, *, inflated: int | None = None) -> bytes:
    """Make a page of plain values, of which it says that there are so many."""
    of_data = _struct([_number(1, values), _number(2, 0), _number(3, 3), _number(4, 3)])
    size = len(body) if inflated is None else inflated
    head = [_number(1, 0), _number(2, size), _number(3, len(body)), (5, _STRUCT, of_data)]
    return _struct(head) + body


def plain_column(data: bytes, rows: int, *, compressed: bool = False) -> bytes:
    """Make a file with a column ``sid``, of these pages, that says that it has so many rows."""
    column = _struct(
        [
            _number(1, _BYTE_ARRAY),
            (2, _LIST, _items([_signed(0)], _I32)),
            (3, _LIST, _items([_varint(3) + b"sid"], _BINARY)),
            _number(4, _ZSTD if compressed else 0),
            *(_number(5, rows, I64), _number(6, len(data), I64), _number(7, len(data), I64)),
            _number(9, 4, I64),
        ]
    )
    chunk = _struct([_number(2, 4, I64), (3, _STRUCT, column)])
    group = _struct([_list(1, [chunk]), _number(2, len(data), I64), _number(3, rows, I64)])
    return file_of(footer([element("root", 1), element("sid")], rows, [group]), data)


def table_file(table: pa.Table, said: dict[str, str] | None = None) -> bytes:
    file = io.BytesIO()
    with pq.ParquetWriter(file, table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(said or {})
    return file.getvalue()


def _struct(fields: Sequence[Field]) -> bytes:
    packed, last = b"", 0
    for number, kind, value in fields:
        packed += bytes([(number - last) << 4 | kind]) + value
        last = number
    return packed + b"\0"


def _number(field: int, value: int, kind: int = _I32) -> Field:
    return field, kind, _signed(value)


def _text(field: int, value: bytes) -> Field:
    return field, _BINARY, _varint(len(value)) + value


def _list(field: int, items: Sequence[bytes]) -> Field:
    return field, _LIST, _items(items, _STRUCT)


def _items(items: Sequence[bytes], kind: int) -> bytes:
    return bytes([0xF0 | kind]) + _varint(len(items)) + b"".join(items)


def _signed(value: int) -> bytes:
    return _varint(value << 1 ^ value >> 63)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    packed = bytearray()
    while value > 0x7F:
        packed.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*packed, value])
