"""Parquet on disk: one file, or a dataset of one file a month that other tools know as partitions.

A dataset, too, is whole or not there at all, and replaces nothing but its like.
"""

import json
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import callkit
from callkit.errors import ParquetError
from callkit.files.paths import file_errors, replacing, resolved

Write: TypeAlias = Callable[[pa.Table], None]
Attributes: TypeAlias = Callable[[], Mapping[Any, Any]]

KEY = "month"
_NEVER_STARTED = "none"
_PART = "part-0.parquet"
_MONTH = re.compile(rf"{KEY}=([0-9]+-[0-9]{{2}}|{_NEVER_STARTED})")
_ROWS = 4_096  # of one month are collected, so that small batches do not make tiny row groups
_EXPLAINED = (b"description", b"unit", b"personal")


@contextmanager
def parquet_file(path: Path, schema: pa.Schema, attributes: Attributes) -> Iterator[Write]:
    """Give a function that writes tables of `schema` to a file, one after the other.

    `attributes`, asked for at the end, are those of the whole: what `df.attrs` holds.
    """
    with (
        path.open("wb") as raw,  # Arrow refuses a name that is not UTF-8
        pq.ParquetWriter(raw, schema, compression="zstd", write_page_checksum=True) as writer,
    ):
        yield writer.write_table
        writer.add_key_value_metadata(_footer(attributes().get("callkit"), schema))


@contextmanager
def month_files(folder: Path, schema: pa.Schema, attributes: Attributes) -> Iterator[Write]:
    """Give a function that deals the calls of a table out to the files of their months.

    Calls never started have one of their own. It is always there, since without any file a dataset
    of no calls would have no columns.
    """
    _check_columns(schema)
    writes: dict[str, Write] = {}
    gathered = {_NEVER_STARTED: schema.empty_table()}
    with ExitStack() as stack:

        def write(month: str) -> None:
            if month not in writes:
                place = folder / f"{KEY}={month}"
                place.mkdir()
                part = stack.enter_context(replacing(place / _PART))
                writes[month] = stack.enter_context(parquet_file(part, schema, attributes))
            writes[month](gathered.pop(month))

        def deal_out(table: pa.Table) -> None:
            # Without its zone, a time is read as UTC.
            started = table["start_time"].cast(pa.timestamp("us"))
            months = pc.fill_null(pc.strftime(started, "%Y-%m"), _NEVER_STARTED)
            for month in pc.unique(months).to_pylist():
                rows = table.filter(pc.equal(months, month))
                if gathered.get(month):
                    rows = pa.concat_tables([gathered[month], rows])
                    rows = rows.unify_dictionaries().combine_chunks()
                gathered[month] = rows
                if len(rows) >= _ROWS:
                    write(month)

        yield deal_out
        for month in list(gathered):
            write(month)


def files_at(path: Path) -> list[Path]:
    """List the files to read: of a dataset month by month, or all Parquet of a plain folder.

    Names that begin with a dot or an underscore are other tools' metadata, and are ignored.
    Anything else in a dataset is refused, and in a plain folder whatever may contain calls:
    skipping a file may lose calls, and reading a copy of a month counts them twice.
    """
    try:
        if not path.is_dir():
            return [path]
        entries = _shown(path)
        by_month = any(entry.name.startswith(f"{KEY}=") for entry in entries)
        files = _in_months(path, entries) if by_month else _in_plain(path, entries)
    except OSError as error:
        raise ParquetError(f"Cannot read {str(error.filename)!r}: {error.strerror}") from error
    if not files:
        raise ParquetError(f"The folder {str(path)!r} contains no Parquet files")
    return files


@contextmanager
def writing_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder to write to; it becomes `path` when all is written."""
    with file_errors(path), replacing_folder(path) as part:
        yield part


def check_folder_writable(path: Path) -> None:
    """Refuse a place that a dataset could never take, long before there is something to write."""
    with file_errors(path):
        _replaceable_folder(path)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`, and `path` itself to it once it is complete.

    An existing dataset stays until then, and keeps its mode; if the block raises, the temporary
    folder goes. Links are followed.

    A folder is replaced by two renamings. A process killed just between them leaves both datasets
    whole under hidden names beside `path`: ``.NAME.….old`` and ``.NAME.….part``.
    """
    path = _replaceable_folder(path)
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    hidden = f".{path.name}.{secrets.token_hex(4)}"
    temporary, old = path.with_name(f"{hidden}.part"), path.with_name(f"{hidden}.old")
    try:
        temporary.mkdir(0o777 if mode is None else 0o700)
        yield temporary
        if mode is not None:
            temporary.chmod(mode)
        _swap(temporary, path, old)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _footer(said: object, schema: pa.Schema) -> dict[str, str]:
    """Make a file's own metadata: callkit's part of `df.attrs`, and what the columns mean.

    The fields contain the latter too, but in Arrow's form; this form is for other tools.
    """
    columns = {
        field.name: {
            key.decode(): field.metadata[key].decode()
            for key in _EXPLAINED
            if key in field.metadata
        }
        for field in schema
        if field.metadata
    }
    own: dict[Any, Any] = {"version": callkit.__version__}
    try:
        attributes = json.dumps({**own, **said} if isinstance(said, dict) else own)
    except (TypeError, ValueError):  # callkit itself writes nothing but JSON there
        attributes = json.dumps(own)
    return {"callkit": attributes, "callkit.columns": json.dumps(columns, ensure_ascii=False)}


def _check_columns(schema: pa.Schema) -> None:
    if "start_time" not in schema.names:
        raise ParquetError(
            "by_month=True needs the column 'start_time'. Available columns: "
            f"{', '.join(schema.names) or 'none'}"
        )
    if KEY in schema.names:
        raise ParquetError(
            f"by_month=True names its folders by {KEY!r}, so a column cannot have that name: "
            "rename it"
        )


def _shown(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "_")))


def _in_months(folder: Path, entries: list[Path]) -> list[Path]:
    for entry in entries:
        if not _MONTH.fullmatch(entry.name):
            raise ParquetError(
                f"{str(folder)!r} is a dataset by month, but contains {entry.name!r}: expected "
                f"only folders named {KEY}=YYYY-MM or {KEY}={_NEVER_STARTED}"
            )
    return [file for month in entries for file in _shown(month)]


def _in_plain(folder: Path, entries: list[Path]) -> list[Path]:
    for entry in entries:
        if entry.is_dir():
            what, advice = f"the folder {entry.name!r}", "move it elsewhere, or its files up"
        elif entry.suffix.lower() in (".parq", ".pq"):
            what, advice = repr(entry.name), "give it the ending .parquet, or move it elsewhere"
        else:
            continue
        raise ParquetError(f"{str(folder)!r} contains {what}, which would not be read: {advice}")
    return [entry for entry in entries if entry.suffix.lower() == ".parquet"]


def _replaceable_folder(path: Path) -> Path:
    """Follow `path` to where a dataset would go, and see that nothing else is lost there."""
    path = resolved(path)
    for foreign in _foreign(path) if path.exists() else ():
        raise ParquetError(
            f"Refusing to replace {str(path)!r}: it contains "
            f"{str(foreign.relative_to(path))!r}, which callkit did not write. Move that file "
            "or write to another folder"
        )
    return path


def _foreign(folder: Path) -> Iterator[Path]:
    """Find what callkit has not written, if anything."""
    for month in folder.iterdir():
        if month.is_symlink() or not month.is_dir() or not _MONTH.fullmatch(month.name):
            yield month
        else:
            yield from (file for file in month.iterdir() if not _is_ours(file))


def _is_ours(file: Path) -> bool:
    try:
        return (
            file.name == _PART
            and file.is_file()
            and b"callkit" in (pq.read_metadata(file).metadata or {})
        )
    except pa.ArrowException:
        return False


def _swap(temporary: Path, path: Path, old: Path) -> None:
    if not path.exists():
        temporary.rename(path)
        return
    _replaceable_folder(path)  # much may have come there in the meantime
    try:
        path.rename(old)
        temporary.rename(path)
    except BaseException:
        if old.exists() and not path.exists():
            old.rename(path)
        raise
    left = "was written, but the previous dataset cannot be removed and is left as"
    with file_errors(path, f"{left} {old.name!r} beside it", (OSError,)):
        shutil.rmtree(old)
