"""What must fit before a configuration is labelled: elements, basis, pseudopotential, distances."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from ase.data import atomic_numbers, chemical_symbols, covalent_radii
from ase.neighborlist import neighbor_list

from zeroflux.errors import LabelError, StructureError
from zeroflux.frames import Frame
from zeroflux.labelling.gth_data import (
    DEFAULT_BASIS,
    OTHER_BASIS,
    basis_set,
    closed_shell_ions,
    pseudopotential,
)
from zeroflux.units import ANGSTROM

SHORTEST_BOND = 0.6
"""Distance over the sum of the covalent radii below which two nuclei are taken for an error. The
shortest bonds, of N₂, CO and acetylene, have 0.77 to 0.79; Cr₂ has 0.60."""
SMOOTH_CUTOFF = 220.0
"""Default plane-wave cutoff of elements with soft ions (hartree)."""
_HARD_ION = 14.4  # cutoff times r_loc²: neon (0.19 bohr) closes to 0.01 meV at 400 Ha, not at 300


def check_overlaps(frame: Frame) -> None:
    """Refuse a frame in which two atoms, or an atom and an image, are closer than any bond.

    Raises
    ------
    StructureError
        Naming the two atoms, their distance and the distance expected.
    """
    radii = covalent_radii[frame.atomic_numbers] * ANGSTROM
    first, second, distances = neighbor_list(
        "ijd", frame.to_ase(), 2.0 * SHORTEST_BOND * float(radii.max()) / ANGSTROM
    )
    distances = distances * ANGSTROM
    expected = SHORTEST_BOND * (radii[first] + radii[second])
    ratio = distances / expected
    if len(ratio) and ratio.min() < 1.0:
        k = int(np.argmin(ratio))
        a, b = sorted((int(first[k]), int(second[k])))
        names = [f"{chemical_symbols[frame.atomic_numbers[n]]} {n}" for n in (a, b)]
        raise StructureError(
            f"Atoms overlap: {names[0]} and {names[1]} (counted from 0, images included) are "
            f"{distances[k] / ANGSTROM:.3f} Å apart; expected at least "
            f"{expected[k] / ANGSTROM:.3f} Å, {SHORTEST_BOND:g} of the sum of their covalent "
            "radii. Check positions, cell and units."
        )


def check_elements(symbols: Iterable[str], *, basis: str, pseudopotential_name: str) -> None:
    """Refuse elements without data, and a basis made for something else than the pseudopotential.

    Raises
    ------
    LabelError
        Naming the elements without data and those that have some, or what does not fit.
    """
    _check_kinds(basis, pseudopotential_name)
    wanted = sorted(set(symbols), key=atomic_numbers.__getitem__)
    for load, kind, name in (
        (basis_set, "basis", basis),
        (pseudopotential, "pseudopotential", pseudopotential_name),
    ):
        without = [s for s in wanted if not _has(load, name, s)]
        if without:
            known = [s for s in chemical_symbols[1:] if _has(load, name, s)]
            raise LabelError(
                f"Found element{'s' * (len(without) > 1)} {', '.join(without)}, for which there is "
                f"no {kind} '{name}'; "
                + (f"expected one of {', '.join(known)}. " if known else "no element has one. ")
                + f"Change the structures or `label.{kind}`."
            )


def _has(load: Callable[[str, str], Any], name: str, symbol: str) -> bool:
    try:
        load(name, symbol)
    except LabelError:
        return False
    return True


def _check_kinds(basis: str, pseudopotential_name: str) -> None:
    """By name: bases for GTH pseudopotentials say so, and both say for how many electrons."""
    if "gth" not in pseudopotential_name.lower():
        raise LabelError(
            f"Found pseudopotential '{pseudopotential_name}'; expected one of Goedecker, Teter and "
            "Hutter, such as GTH-PBE-q8. Change `label.pseudopotential`."
        )
    if "gth" not in basis.lower():
        raise LabelError(
            f"Basis set '{basis}' was not made for the pseudopotential '{pseudopotential_name}'; "
            "expected one with GTH in its name, such as DZVP-MOLOPT-PBE-GTH-q8. Change "
            "`label.basis`."
        )
    electrons = [re.search(r"-q([0-9]+)$", n) for n in (basis, pseudopotential_name)]
    counts = {found[1] for found in electrons if found}
    if len(counts) > 1:
        raise LabelError(
            f"Basis set '{basis}' and pseudopotential '{pseudopotential_name}' are for different "
            "numbers of valence electrons; expected the same -q in both. Change one of them."
        )


def check_frames(frames: Sequence[Frame], *, basis: str, pseudopotential_name: str) -> None:
    """Refuse what no engine can label, before anything is computed.

    Raises
    ------
    LabelError
        If an element has no data, a number of electrons is odd, or a cell is left-handed.
    """
    symbols = {chemical_symbols[z] for frame in frames for z in frame.atomic_numbers}
    check_elements(symbols, basis=basis, pseudopotential_name=pseudopotential_name)
    kinds = {
        (tuple(np.sort(frame.atomic_numbers)), np.linalg.det(frame.cell) < 0): frame
        for frame in frames
    }
    for frame in kinds.values():
        closed_shell_ions(frame, pseudopotential_name)


def default_basis(symbols: Iterable[str]) -> str:
    """Basis set for these elements: that of the data set where it has them all."""
    return DEFAULT_BASIS if all(_has(basis_set, DEFAULT_BASIS, s) for s in symbols) else OTHER_BASIS


def default_cutoff(symbols: Iterable[str], pseudopotential_name: str) -> float:
    r"""Plane-wave cutoff (hartree) that resolves the ions of these elements.

    .. math:: E_{cut} = \max(220, 14.4 / r_{loc}^2)

    An ion's charge is a Gaussian of width r_loc, and the basis of a hard ion is as sharp. Neon at
    220 Ha misses 6 meV per atom in the energy and 18 meV in the sum of its densities.

    Raises
    ------
    LabelError
        If an element has no such pseudopotential.
    """
    widths = [float(pseudopotential(pseudopotential_name, s)[1]) for s in set(symbols)]
    needed = max((_HARD_ION / width**2 for width in widths), default=0.0)
    return max(SMOOTH_CUTOFF, 20.0 * float(np.ceil(needed / 20.0 - 1e-9)))
