"""Tokens of header lines, refused by name and line."""

from __future__ import annotations

import math
import re
from contextlib import contextmanager, suppress
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
LARGEST_NUMBER = 1e7
"""No length, volume or charge of a header is larger, whatever its unit."""
LONGEST_NUMBER = 100
"""Characters of a number in a header, on average of a line."""
_INTEGER = re.compile(r"[+-]?[0-9]+")
_PLAIN = re.compile(r"[0-9.+eE-]*")
_REAL = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[EeDd]([+-]?[0-9]+)|([+-][0-9]{3}))?")


def is_integer(token: str) -> bool:
    """Whether a token is an integer in ASCII digits; Python's int also takes ``1_000``."""
    return _INTEGER.fullmatch(token) is not None


def real(token: str) -> float:
    """A number as Fortran and C write it: ``1.5``, ``1.0D-10``, ``1.0-100``.

    Python's float also takes ``1_000``, ``nan`` and digits of other scripts.

    Raises
    ------
    ValueError
        If it is none, or too large.
    """
    match = _REAL.fullmatch(token)
    value = float(f"{match[1]}E{match[2] or match[3] or 0}") if match else math.nan
    if not math.isfinite(value):
        raise ValueError(f"'{token[:40]}' is not a finite number")
    return value


def is_real(token: str) -> bool:
    """Whether a token is a finite number."""
    try:
        real(token)
    except ValueError:
        return False
    return True


def integer(source: TextSource, token: str, what: str) -> int:
    """An integer of a header.

    Raises
    ------
    FileFormatError
        If it is none, or beyond any sensible count.
    """
    # nine characters: more digits than the largest count, and than Python's int takes
    value = int(token) if is_integer(token) and len(token) <= 9 else LARGEST_COUNT + 1
    if abs(value) > LARGEST_COUNT:
        raise source.error(
            f"found '{token[:40]}' as {what}; expected an integer. Check the header."
        )
    return value


def numbers(source: TextSource, tokens: Sequence[str], n: int, what: str) -> np.ndarray:
    """The n numbers of a line; words may follow, such as flags or a remark.

    Raises
    ------
    FileFormatError
        If there are fewer or more, one is not a finite number, or one is beyond any cell.
    """
    values = _reals(tokens[:n])
    # a number too many says that one before it may be another column's
    if len(values) < n or (len(tokens) > n and is_real(tokens[n])):
        found = " ".join(tokens)[:60]
        raise source.error(f"found '{found}' as {what}; expected {n} numbers. Check the header.")
    if values and not max(map(abs, values)) <= LARGEST_NUMBER:
        raise source.error(
            f"found {max(map(abs, values)):.3g} as {what}; expected numbers up to "
            f"{LARGEST_NUMBER:g}. Check the header."
        )
    return np.array(values)


def _reals(tokens: Sequence[str]) -> list[float]:
    """The tokens as numbers; none if one is no number."""
    text = "".join(tokens)
    if len(text) > LONGEST_NUMBER * len(tokens):
        return []
    # of these characters Python's float takes nothing that `real` would not, and is quicker
    with suppress(ValueError):
        if _PLAIN.fullmatch(text):
            return [float(t) for t in tokens]
    with suppress(ValueError):
        return [real(t) for t in tokens]
    return []


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
