"""Densities in memory: arrays, ASE's atoms, pymatgen's volumetric data."""

from __future__ import annotations

from typing import Any

import numpy as np

from zeroflux.errors import FileFormatError
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.units import ANGSTROM
from zeroflux.volumetric.data import ATOMIC_UNIT_OF, UNITS, VolumetricData


def data_of(density: Any, atoms: Any = None, *, unit: str = "1/angstrom^3") -> VolumetricData:
    """A density in memory as the readers give those of files.

    Parameters
    ----------
    density
        An array (n_a, n_b, n_c) of the points of the cell, the last not the first again; pymatgen's
        ``Chgcar`` or other ``VolumetricData``; or `VolumetricData` of ours, taken as it is.
    atoms
        ASE atoms or `Frame`, for an array.
    unit
        Unit of an array, one of `zeroflux.volumetric.UNITS`.

    Raises
    ------
    FileFormatError
        If there are no atoms, or the array is none of a grid.
    """
    if isinstance(density, VolumetricData):
        return density
    if hasattr(density, "structure") and hasattr(density, "data"):
        return _of_pymatgen(density)
    values = np.asarray(density)
    if values.ndim != 3 or values.dtype.kind not in "fiu":
        raise FileFormatError(
            f"Found a density of shape {values.shape} and type {values.dtype}; expected real "
            "numbers on a grid (n_a, n_b, n_c), a file, or an object of pymatgen."
        )
    if atoms is None:
        raise FileFormatError(
            "Found a density without atoms; expected ASE atoms with the cell. Pass atoms=."
        )
    if unit not in UNITS:
        raise FileFormatError(f"Found the unit '{unit}'; expected one of {', '.join(UNITS)}.")
    frame = atoms if isinstance(atoms, Frame) else Frame.from_ase(atoms)
    return VolumetricData(
        grid=UniformGrid(
            cell=frame.cell, shape=(values.shape[0], values.shape[1], values.shape[2])
        ),
        fields={"density": np.ascontiguousarray(values, dtype=np.float64) * UNITS[unit]},
        frame=frame,
        units={"density": ATOMIC_UNIT_OF[unit]},
    )


def _of_pymatgen(density: Any) -> VolumetricData:
    """Fields of pymatgen's ``Chgcar``, which hold the density times the volume in electrons."""
    structure = density.structure
    frame = Frame(
        atomic_numbers=np.array([site.specie.Z for site in structure], dtype=np.int64),
        positions=np.asarray(structure.cart_coords, dtype=np.float64) * ANGSTROM,
        cell=np.asarray(structure.lattice.matrix, dtype=np.float64) * ANGSTROM,
    )
    total = np.asarray(density.data["total"], dtype=np.float64)
    grid = UniformGrid(cell=frame.cell, shape=(total.shape[0], total.shape[1], total.shape[2]))
    fields = {"total": total / grid.volume}
    if "diff" in density.data:
        fields["magnetization"] = np.asarray(density.data["diff"]) / grid.volume
    return VolumetricData(
        grid=grid, fields=fields, frame=frame, units=dict.fromkeys(fields, "1/bohr^3")
    )
