"""Numbers to text, and files that appear only when complete."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np

from zeroflux.volumetric.text import ByteStream

_COMPRESSORS = {".gz": gzip.GzipFile, ".xz": lzma.LZMAFile, ".bz2": bz2.BZ2File}
ROWS_AT_ONCE = 1 << 16  # numbers formatted by one `%`, enough to hide its overhead


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Path to write to, in the same folder, which takes the name ``path`` only on success.

    An interrupted run therefore leaves the old file, or none, and never half a file.
    """
    # the suffixes stay last: writers choose format and compression by them
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield temporary
        if path.is_dir():  # a Zarr group is a folder, which cannot be replaced in one step
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        temporary.unlink(missing_ok=True)


@contextmanager
def open_for_writing(path: Path) -> Iterator[ByteStream]:
    """Binary stream to a file that appears when complete, compressed if the suffix says so."""
    with replacing(path) as temporary:
        opener = _COMPRESSORS.get(path.suffix, open)
        with opener(temporary, "wb") as stream:
            yield cast("ByteStream", stream)


def reals(values: np.ndarray, *, decimals: int = 16) -> str:
    """Numbers of a header line, with the decimals that a cell needs."""
    return "".join(f" {value:{decimals + 6}.{decimals}f}" for value in values)


def write_rows(stream: ByteStream, rows: np.ndarray, *, per_line: int, digits: int) -> None:
    """Write rows of numbers, ``per_line`` to a line; each row starts a new line.

    ``digits`` significant digits after the leading one, in Fortran's E form.
    """
    n_rows, n_columns = rows.shape
    one = f" %{digits + 7}.{digits}E"
    breaks = [
        "\n" if (i + 1) % per_line == 0 or i + 1 == n_columns else "" for i in range(n_columns)
    ]
    row_format = "".join(one + end for end in breaks)
    n_at_once = max(1, ROWS_AT_ONCE // n_columns)
    for start in range(0, n_rows, n_at_once):
        block = rows[start : start + n_at_once]
        stream.write((row_format * len(block) % tuple(block.ravel().tolist())).encode())


def write_run(stream: ByteStream, values: np.ndarray, *, per_line: int, digits: int) -> None:
    """Write one long run of numbers, ``per_line`` to a line."""
    n_whole = len(values) - len(values) % per_line
    rows = values[:n_whole].reshape(-1, per_line)
    write_rows(stream, rows, per_line=per_line, digits=digits)
    if n_whole < len(values):
        write_rows(stream, values[n_whole:][None, :], per_line=per_line, digits=digits)
