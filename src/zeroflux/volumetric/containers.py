"""HDF5 files and Zarr stores, looked at before a library acts on what they say."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zeroflux.errors import FileFormatError

LARGEST_RATIO = 2000
"""Bytes in memory for each byte in a file; deflate reaches 1032."""
SMALL = 1 << 32
"""Bytes that any file may ask for: a field of zeros is hardly stored at all."""
LARGEST_METADATA = 1 << 24
"""Bytes of JSON that describe a Zarr array."""
_HEAP = b"GCOL\x01\0\0\0"


def check_size(path: Path, name: str, array: Any) -> None:
    """Refuse an array that is far larger than what is stored of it.

    Raises
    ------
    FileFormatError
        If so: reading it would fill the memory with zeros.
    """
    n_bytes = array.dtype.itemsize
    for n in array.shape:
        n_bytes *= int(n)
    if n_bytes <= SMALL:
        return
    if path.is_dir():
        n_stored = sum(f.stat().st_size for f in (path / name).rglob("*") if f.is_file())
    elif hasattr(array, "id"):
        n_stored = array.id.get_storage_size()
    else:
        return  # in memory already
    if n_bytes > LARGEST_RATIO * n_stored:
        raise FileFormatError(
            f"{path}: '{name}' of shape {array.shape} has {n_bytes} bytes, of which {n_stored} are "
            "stored; expected a complete array. Write it again."
        )


def check_heaps(path: Path, datasets: Iterable[Any]) -> None:
    """Refuse damaged heaps, where HDF5 keeps strings: its library may never return from one.

    Contiguous data are not searched. Format: HDF5 File Format Specification 3.0, III.E.

    Raises
    ------
    FileFormatError
        If the objects of a heap do not fill it.
    """
    extents = sorted(
        (offset, offset + d.id.get_storage_size())
        for d in datasets
        if d.chunks is None and (offset := d.id.get_offset()) is not None
    )
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = 0
        for begin, end in [*extents, (len(data), len(data))]:
            while (start := data.find(_HEAP, start, max(start, begin))) >= 0:
                if not _is_heap_whole(data, start):
                    raise FileFormatError(
                        f"{path}: the heap of strings at byte {start} is damaged; expected a "
                        "complete HDF5 file. Write it again."
                    )
                start += len(_HEAP)
            start = end


def _is_heap_whole(data: mmap.mmap, start: int) -> bool:
    def number(at: int, n_bytes: int) -> int:
        return int.from_bytes(data[at : at + n_bytes], "little")

    end = start + number(start + 8, 8)
    at = start + 16
    if end > len(data) or end < at:
        return False
    while end - at >= 16:
        index, size = number(at, 2), number(at + 8, 8)
        if index == 0:  # free space, counted with its header
            return at + size == end
        at += 16 + -(-size // 8) * 8
    return at <= end


def check_codecs(path: Path) -> None:
    """Refuse a Zarr store whose arrays are pickled: unpickling runs what the store says.

    Raises
    ------
    FileFormatError
        If a codec of an array is numcodecs' pickle, or the metadata are no JSON.
    """
    names = ("zarr.json", ".zmetadata", ".zarray")
    for file in [path / n for n in names] + [f for n in names for f in path.glob(f"*/{n}")]:
        if not file.is_file():
            continue
        if file.stat().st_size > LARGEST_METADATA:
            raise FileFormatError(
                f"{file}: found {file.stat().st_size} bytes of metadata; expected at most "
                f"{LARGEST_METADATA}. Write the store again."
            )
        open_items = [json.loads(file.read_bytes())]
        while open_items:
            item = open_items.pop()
            if isinstance(item, dict):
                codec = item.get("id", item.get("name"))
                if isinstance(codec, str) and "pickle" in codec.lower():
                    raise FileFormatError(
                        f"{file}: found the codec '{codec}', which runs code of the file; expected "
                        "numbers. Write the arrays again as numbers, without objects."
                    )
                open_items += item.values()
            elif isinstance(item, list):
                open_items += item
