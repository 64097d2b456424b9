"""Inputs that cannot be partitioned, and what is said about them."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import numpy as np

from zeroflux.errors import EmptyBasinError, PartitionError, RepairWarning
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.partition import _reduction_kernels
from zeroflux.partition.attractors import Attractors
from zeroflux.partition.slabs import Slabs
from zeroflux.units import ANGSTROM

if TYPE_CHECKING:
    from ase import Atoms

NEGATIVE_CHARGE_WARNING = 1e-6  # part of the electrons; rounding stays below it
ROUNDING_DENSITY = 1e-12
"""Density (bohr⁻³) that no calculation resolves: 1e-7 electrons in a box of 25 Å."""
NEGATIVE_CHARGE_LIMIT = 1e-4  # part of the electrons; Fourier ripples stay below it
NEGATIVE_CORE_LIMIT = 0.05  # part of the electrons; PAW densities at nuclei stay below it
CELL_TOLERANCE = 1e-3  # relative; a cube file's six decimals stay below it


def check_options(method: str, n_threads: int | None, weight_cutoff: float) -> None:
    """Refuse options without a meaning."""
    if method not in ("weight", "neargrid", "ongrid"):
        raise ValueError(
            f"Found method '{method}'; expected weight, neargrid or ongrid. Choose one of them."
        )
    if not 0.0 <= weight_cutoff <= 0.01:
        raise ValueError(
            f"Found weight_cutoff = {weight_cutoff}; expected 0 to 0.01. "
            "Larger values would discard real shares."
        )
    if n_threads is not None and n_threads < 1:
        raise ValueError(f"Found n_threads = {n_threads}; expected 1 or more, or None for 1.")


def checked_frame(atoms: Frame | Atoms, grid: UniformGrid) -> Frame:
    """The atoms as a frame whose cell is the grid's."""
    frame = atoms if isinstance(atoms, Frame) else Frame.from_ase(atoms)
    if frame.n_atoms == 0:
        raise ValueError("Found no atoms; expected at least one nucleus. Check the structure.")
    difference = np.abs(frame.cell - grid.cell).max()
    if difference > CELL_TOLERANCE * np.abs(grid.cell).max():
        raise ValueError(
            f"The cells of atoms and grid differ by up to {difference:.3g} bohr; expected the same "
            "cell. Check the units, and that both come from the same calculation."
        )
    return frame


def checked_field(
    values: np.ndarray,
    grid: UniformGrid,
    name: str,
    *,
    n_threads: int | None = None,
    negative_limit: float = math.inf,
) -> np.ndarray:
    """The field as contiguous doubles, without a copy where it is that already."""
    if values.shape != grid.shape:
        raise ValueError(
            f"The {name} has shape {values.shape}; expected the grid's {grid.shape}. "
            "Check the axis order and that both come from the same file."
        )
    field = np.ascontiguousarray(np.asarray(values), dtype=np.float64)
    with Slabs(grid.shape, n_threads or 1) as slabs:
        parts = np.array(slabs.run(_reduction_kernels.field_range, field))
    low, high, total, negative = (
        float(reduce(parts[:, n])) for n, reduce in enumerate((np.min, np.max, np.sum, np.sum))
    )
    if not np.isfinite([low, high, total]).all():
        n_bad = np.count_nonzero(~np.isfinite(field))
        raise PartitionError(
            f"The {name} has {n_bad} of {field.size} values that are not finite (NaN or "
            "infinity); expected numbers. Check the file for overflow or a crashed calculation."
        )
    if negative_limit < math.inf:
        _check_sign(low, total * grid.voxel_volume, negative * grid.voxel_volume, negative_limit)
    return field


def _check_sign(lowest: float, electrons: float, negative: float, limit: float) -> None:
    positive = electrons - negative
    if -negative <= NEGATIVE_CHARGE_WARNING * positive:
        return
    found = (
        f"The density is negative at some points: smallest value {lowest:.3g} e/bohr³, "
        f"{negative:.3g} e of {electrons:.6g} e in all; expected an electron density. "
    )
    if -negative > limit * positive:
        raise PartitionError(
            found + "Check the sign convention and the units of the file, or use partition_field "
            "for a field that has both signs."
        )
    warnings.warn(
        found
        + "It is kept as it is, "
        + (
            "taken for ripples of a Fourier series; a finer grid in the density calculation "
            "removes it."
            if -negative <= NEGATIVE_CHARGE_LIMIT * positive
            else "as PAW densities are at nuclei: the reference defines the basins."
        ),
        RepairWarning,
        stacklevel=4,
    )


def require_attractors(attractors: Attractors, frame: Frame) -> None:
    """Refuse nuclei without a maximum."""
    owned = np.bincount(attractors.owners, minlength=frame.n_atoms)
    empty = np.flatnonzero(owned == 0)
    if empty.size:
        raise EmptyBasinError(
            f"{empty.size} of {frame.n_atoms} nuclei have no maximum of the density near them, the "
            f"first one being atom {empty[0]} (Z = {frame.atomic_numbers[empty[0]]}); expected one "
            "each. Check units and origin of the positions, pass a reference with the core "
            "charges, or accept empty basins (--allow-empty, or allow_empty=True in Python)."
        )


def warn_non_nuclear(attractors: Attractors) -> None:
    """Say how many maxima are outside all cores, and where they went.

    Those of rounding, in the vacuum about a molecule, hold no charge and are not spoken of.
    """
    far = np.flatnonzero(~attractors.is_nuclear & (attractors.values > ROUNDING_DENSITY))
    if far.size:
        first = far[attractors.values[far].argmax()]
        begin, end = attractors.owner_starts[first : first + 2]
        owners = ", ".join(str(a) for a in attractors.owners[begin:end])
        place = ", ".join(f"{x:.3f}" for x in attractors.positions[first] / ANGSTROM)
        warnings.warn(
            f"{len(far)} of {len(attractors.voxels)} maxima are not at a nucleus "
            f"(farthest {attractors.distances[far].max():.3g} bohr), the highest one at ({place}) "
            f"Å with {attractors.values[first]:.3g} e/bohr³; expected none. They were given to the "
            f"nearest nuclei (the highest to atom {owners}; nuclei that are equally near to a grid "
            "step have equal parts); see Partition.attractors, and pass a reference with the core "
            "charges if the density has none.",
            RepairWarning,
            stacklevel=3,
        )
