"""How many valence electrons the common pseudopotentials leave to an element."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

CORES = (
    (0, 1, 5), (2, 3, 18), (4, 11, 12), (10, 11, 30), (12, 19, 30), (18, 19, 36), (28, 31, 48),
    (30, 37, 48), (36, 37, 54), (46, 49, 71), (48, 55, 58), (54, 55, 71), (60, 72, 80),
    (62, 72, 80), (68, 72, 86), (78, 81, 103), (86, 87, 103),
)  # fmt: skip
"""Electrons of a core, and the first and last atomic number with which GTH, PAW (VASP) and
norm-conserving (SG15, PseudoDojo) tables use it."""
LARGEST_VALENCE = 25
FROZEN_4F = (8, 9, 11)  # valences of the lanthanides with f electrons in the core


def common_valences(atomic_number: int) -> tuple[int, ...]:
    """Valence electrons that published pseudopotentials of an element have, in ascending order."""
    found = {
        atomic_number - core
        for core, first, last in CORES
        if first <= atomic_number <= last and 0 < atomic_number - core <= LARGEST_VALENCE
    }
    if 57 <= atomic_number <= 71:
        found |= set(FROZEN_4F)
    return tuple(sorted(found)) or (atomic_number,)


def common_sums(atomic_numbers: Sequence[int] | np.ndarray) -> np.ndarray:
    """Numbers of electrons of a neutral cell: all electrons, or one valence for each element."""
    reached = 1  # bit n is set if n electrons are possible
    for number, count in zip(*np.unique(atomic_numbers, return_counts=True), strict=True):
        before, reached = reached, 0
        for valence in common_valences(int(number)):
            reached |= before << (int(count) * valence)
    reached |= 1 << int(np.sum(atomic_numbers))
    return np.flatnonzero(np.array(list(f"{reached:b}"[::-1])) == "1")
