"""Tokens of header lines, refused by name and line."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from zeroflux.errors import FileFormatError, StructureError
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zeroflux.volumetric.text import TextSource

LARGEST_COUNT = 10**7
"""No header counts more atoms, or points along one direction, than this."""


def integer(source: TextSource, token: str, what: str) -> int:
    """An integer of a header.

    Raises
    ------
    FileFormatError
        If it is none, or beyond any sensible count.
    """
    try:
        value = int(token)
    except ValueError:
        value = LARGEST_COUNT + 1
    if abs(value) > LARGEST_COUNT or not token.isascii():
        raise source.error(
            f"found '{token[:40]}' as {what}; expected an integer. Check the header."
        )
    return value


def numbers(source: TextSource, tokens: Sequence[str], n: int, what: str) -> np.ndarray:
    """The first n tokens as finite numbers.

    Raises
    ------
    FileFormatError
        If there are fewer, or one is not a finite number.
    """
    try:
        values = [float(t.upper().replace("D", "E")) for t in tokens[:n]]
    except ValueError:
        values = []
    if len(values) < n or not all(math.isfinite(v) for v in values):
        found = " ".join(tokens)[:60]
        raise source.error(f"found '{found}' as {what}; expected {n} numbers. Check the header.")
    return np.array(values)


@contextmanager
def refusals_at(source: TextSource, line: int) -> Iterator[None]:
    """Turn the refusal of a grid or a frame into one that names the file's line."""
    try:
        yield
    except (ValueError, StructureError) as error:
        raise FileFormatError(f"{source.path}:{line}: {error} Check the header.") from error


def grid_of(
    source: TextSource,
    cell: np.ndarray,
    shape: tuple[int, int, int],
    *,
    line: int,
    origin: np.ndarray | None = None,
) -> UniformGrid:
    """Grid, or the error that names the header's line."""
    with refusals_at(source, line):
        return UniformGrid(cell=cell, shape=shape, origin=np.zeros(3) if origin is None else origin)


def frame_of(
    source: TextSource,
    atomic_numbers: np.ndarray,
    positions: np.ndarray,
    cell: np.ndarray,
    *,
    line: int,
) -> Frame:
    """Frame, or the error that names the header's line."""
    with refusals_at(source, line):
        return Frame(atomic_numbers=atomic_numbers, positions=positions, cell=cell)
