"""Whether a number of electrons can be that of the nuclei, and what is wrong if it cannot."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols, covalent_radii

from zeroflux.errors import FileFormatError
from zeroflux.frames import Frame
from zeroflux.units import ANGSTROM
from zeroflux.volumetric.cells import electron_count
from zeroflux.volumetric.data import VolumetricData
from zeroflux.volumetric.pseudopotentials import common_sums, common_valences

LARGEST_CHARGE = 3
"""Net charges of a cell up to this are nothing unusual (e)."""
MOST_ELEMENTS = 5  # for which valences are guessed: all combinations are looked at
CORE_DENSITY = 0.1
"""All-electron densities exceed this times Z² (e/bohr³) at a nucleus, pseudo-densities never do:
326 against 0.9 for oxygen, 15 000 against 15 for copper."""


def count_accuracy(data: VolumetricData) -> float:
    """Electrons by which the integral may be off: the header's digits, and box tails."""
    n_electrons = electron_count(data)
    return min(0.3, max(0.01, 2e-5 * n_electrons, 1.5 * data.relative_cell_error * n_electrons))


def density_at_nuclei(data: VolumetricData, frame: Frame) -> np.ndarray:
    """Largest density (e/bohr³) among the 27 points around each nucleus."""
    shape = np.array(data.grid.shape)
    scaled = (frame.positions - data.grid.origin) @ np.linalg.inv(data.grid.cell) * shape
    around = np.stack(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    index = (np.rint(scaled).astype(int)[:, None] + around) % shape
    return data.first[index[..., 0], index[..., 1], index[..., 2]].max(axis=1)


def has_cores(data: VolumetricData, frame: Frame) -> bool:
    """Whether the core electrons of all atoms are in the density."""
    is_heavy = frame.atomic_numbers > 2
    if not is_heavy.any():
        return False
    peaks = density_at_nuclei(data, frame)[is_heavy]
    return bool((peaks > CORE_DENSITY * frame.atomic_numbers[is_heavy] ** 2.0).all())


def judge_count(
    data: VolumetricData, frame: Frame, *, n_valence: float | None = None
) -> str | None:
    """What is doubtful about the number of electrons, or None.

    It is held against the sum of the atomic numbers, the sums of valences of common
    pseudopotentials, and integers; the sum of known valences (of pseudo-hydrogens, perhaps) is
    as good as an integer.

    Raises
    ------
    FileFormatError
        If the number is impossible.
    """
    found = electron_count(data)
    sums = common_sums(frame.atomic_numbers)
    if n_valence is not None and abs(found - n_valence) <= count_accuracy(data):
        return None
    is_integer = abs(found - round(found)) <= count_accuracy(data)
    nearest = int(sums[np.abs(sums - found).argmin()])
    if is_integer and abs(found - nearest) <= LARGEST_CHARGE:
        return None
    lowest, highest = int(sums[0]), int(sums[-1])
    is_within = lowest - LARGEST_CHARGE <= found <= highest + LARGEST_CHARGE
    text = (
        f"{data.place}: the density integrates to {found:.6g} electrons for nuclei with "
        f"{highest} protons; expected {_sums_in_words(sums)}"
    )
    accept = f"If the number is right, say so with --electrons {found:.8g}."
    cores = _cores(data, frame, found, nearest)
    is_sharp = cores or (is_within and has_cores(data, frame))
    cause = None if is_sharp else _factor(data, frame, sums)
    if cause:
        raise FileFormatError(f"{text}. {cause} {accept}")
    if found > 1.5 * highest + 4 or found < 0.5 * lowest:
        raise FileFormatError(
            f"{text}. {cores}Check the density's unit "
            f"(FILE@1/angstrom^3), the lengths in the header, and that the atoms are those of the "
            f"density. {accept}"
        )
    if not is_integer:
        return (
            f"{text}, or another integer. {cores}Look for a missing "
            "or repeated plane of the grid, a box that cuts the density off, or a wrong cell or "
            "unit (FILE@1/angstrom^3, --cell); charges and volumes are wrong by as much."
        )
    return (
        f"{text}, or {LARGEST_CHARGE} more or less. Check that the atoms are those of the density, "
        "its unit, and that it is no part of a density."
    )


def _sums_in_words(sums: np.ndarray) -> str:
    if len(sums) <= 4:
        return " or ".join(str(s) for s in sums)
    return f"{sums[0]} (valence) to {sums[-1]} (all)"


def _factor(data: VolumetricData, frame: Frame, sums: np.ndarray) -> str | None:
    """The confusion of units that makes the number right, and what mends it."""
    found = electron_count(data)
    bond = shortest_bond(frame)
    per_volume = ANGSTROM**3
    short, long = bond < 0.65, 1.5 < bond < 3.0
    cases = (
        (per_volume, short, "The lengths of the header seem to be ångström and were read as bohr: "
         "make the cube's voxel counts negative (ångström), or write bohr."),
        (1.0 / per_volume, long, "The lengths of the header seem to be bohr and were read as "
         "ångström: make the cube's voxel counts positive (bohr)."),
        (1.0 / per_volume, True, "The density seems to be in e/Å³: name it FILE@1/angstrom^3."),
        (per_volume, True, "The density seems to have been divided by 6.748 (e/Å³ to e/bohr³) "
         "twice, or the header's lengths are ångström: write e/bohr³ and bohr."),
        (1.0 / data.grid.volume, True, "The values seem to be multiplied by the cell's volume in "
         "bohr³, as in programs that follow CHGCAR: divide by it."),
        (per_volume / data.grid.volume, True, "The values seem to be multiplied by the cell's "
         "volume in Å³, as in a CHGCAR: divide by it and name the file FILE@1/angstrom^3."),
    )  # fmt: skip
    for factor, is_possible, words in cases:
        corrected = found * factor
        allowed = max(0.02, 3e-4 * corrected)
        if is_possible and np.abs(sums - corrected).min() <= allowed:
            return f"{words} That gives {corrected:.6g} electrons."
    return None


def _cores(data: VolumetricData, frame: Frame, found: float, nearest: int) -> str:
    """A sentence if the steep density at nuclei explains the difference."""
    is_explained = has_cores(data, frame) and (
        (density_at_nuclei(data, frame).sum() * data.grid.voxel_volume) > abs(found - nearest)
    )
    return (
        "The grid does not resolve the cores: take a finer grid, or a valence density with the "
        "all-electron one as --reference. "
        if is_explained
        else ""
    )


def shortest_bond(frame: Frame, atom: int | None = None) -> float:
    """Smallest distance of two nuclei over the sum of their covalent radii; inf for one atom.

    Of all atoms, or of one of them.
    """
    radii = covalent_radii[frame.atomic_numbers] * ANGSTROM
    scaled = frame.positions @ np.linalg.inv(frame.cell)
    smallest = np.inf
    for i in range(frame.n_atoms) if atom is None else [atom]:
        step = scaled - scaled[i]
        distances = np.linalg.norm((step - np.rint(step)) @ frame.cell, axis=1)
        distances[i] = np.inf
        smallest = min(smallest, float((distances / (radii + radii[i])).min()))
    return smallest


def charges_hint(frame: Frame, n_electrons: float) -> str:
    """One line on how to get net charges, with valences that fit the number if there are any."""
    numbers = np.unique(frame.atomic_numbers)
    counts = [int((frame.atomic_numbers == z).sum()) for z in numbers]
    fits: list[tuple[int, ...]] = [()]
    for z in numbers if len(numbers) <= MOST_ELEMENTS else ():
        fits = [(*f, v) for f in fits for v in {*common_valences(int(z)), int(z)}]
    sums = {f: sum(c * v for c, v in zip(counts, f, strict=True)) for f in fits if f}
    fitting = [f for f, total in sums.items() if abs(total - n_electrons) < 0.3]
    chosen = fitting[0] if len(fitting) == 1 else ("N",) * len(numbers)
    options = " ".join(
        f"--valence {chemical_symbols[z]}={v}" for z, v in zip(numbers, chosen, strict=True)
    )
    return (
        "No net charges: nothing says how many electrons of each atom the density holds. Say it by "
        f"{options}, or put the POTCAR beside a VASP file."
    )
