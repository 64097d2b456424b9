"""VASP's HDF5 file of the charge density, ``vaspwave.h5``.

``charge/charge`` (components, n_c, n_b, n_a) holds the density times the volume of the cell in
electrons, as CHGCAR does. The structure is in the same file, or in ``vaspout.h5`` beside it.

References
----------
VASP manual, "vaspwave.h5" (https://www.vasp.at/wiki); py4vasp's schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_numbers as NUMBER_OF_SYMBOL

from zeroflux.errors import FileFormatError
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.units import ANGSTROM
from zeroflux.volumetric.arrays import loaded, named_errors
from zeroflux.volumetric.data import VolumetricData
from zeroflux.volumetric.vasp import SPIN_NAMES

CHARGE = "charge/charge"
_STRUCTURES = ("structure/positions", "results/positions")


def is_vasp(path: Path) -> bool:
    """Whether an HDF5 file has VASP's charge density."""
    try:
        with _file(path) as file:
            return CHARGE in file and hasattr(file[CHARGE], "shape")
    except Exception:  # without h5py, or damaged: the reader of arrays says so
        return False


def read(path: Path, *, only_first: bool = False, n_threads: int = 1) -> VolumetricData:
    """Read the density, and of spin-polarised runs the magnetization; names as of a CHGCAR.

    Parameters
    ----------
    path
        The file.
    only_first
        Read the density alone.
    n_threads
        Without effect: arrays are not parsed.

    Raises
    ------
    FileFormatError
        If the file is damaged, or there is no structure.
    """
    del n_threads
    with _file(path) as file:
        charge = file[CHARGE]
        names = SPIN_NAMES.get(charge.shape[0] if charge.ndim == 4 else 0)
        if names is None:
            raise FileFormatError(
                f"{path}: '{CHARGE}' has shape {charge.shape}; expected 1, 2 or 4 components on a "
                "grid. Write the file again."
            )
        kept = names[:1] if only_first else names
        blocks = [loaded(path, CHARGE, charge, i).T for i in range(len(kept))]
        frame, group_sizes = _structure(path, file)
    with named_errors(path):
        grid = UniformGrid(cell=frame.cell, shape=blocks[0].shape)
    return VolumetricData(
        grid=grid,
        fields={
            name: np.ascontiguousarray(block) / grid.volume
            for name, block in zip(kept, blocks, strict=True)
        },
        frame=frame,
        units=dict.fromkeys(kept, "1/bohr^3"),
        source=path,
        group_sizes=group_sizes,
        has_more=len(kept) < len(names),
    )


@contextmanager
def _file(path: Path) -> Iterator[Any]:
    import h5py

    with named_errors(path), h5py.File(path, "r") as file:
        yield file


def _structure(path: Path, file: Any) -> tuple[Frame, tuple[int, ...]]:
    """Atoms, and how many each group has, from the first place that has them."""
    for place in _STRUCTURES:
        if f"{place}/lattice_vectors" in file:
            return _frame(path, file[place])
    beside = path.with_name("vaspout.h5")
    if beside.is_file() and path.name != beside.name:
        with _file(beside) as other:
            return _structure(beside, other)
    raise FileFormatError(
        f"{path}: found a charge density without a structure; expected '{_STRUCTURES[0]}' in the "
        "file, or vaspout.h5 of the calculation beside it. Copy both."
    )


def _frame(path: Path, group: Any) -> tuple[Frame, tuple[int, ...]]:
    scale = float(loaded(path, "scale", group["scale"])) if "scale" in group else 1.0
    cell = loaded(path, "lattice_vectors", group["lattice_vectors"])
    sites = loaded(path, "position_ions", group["position_ions"])
    counts = loaded(path, "number_ion_types", group["number_ion_types"]).astype(np.int64)
    types = group["ion_types"]
    if types.dtype.kind != "S" or types.shape != counts.shape or counts.ndim != 1:
        raise FileFormatError(
            f"{path}: 'ion_types' is {types.dtype} of shape {types.shape} for counts of shape "
            f"{counts.shape}; expected one symbol for each count. Write the file again."
        )
    symbols = [t.decode("latin-1").strip().partition("_")[0] for t in types[...].tolist()]
    numbers = np.array([NUMBER_OF_SYMBOL.get(s, 0) for s in symbols], dtype=np.int64)
    if counts.min(initial=0) < 0 or sites.shape != (counts.sum(), 3) or cell.shape != (3, 3):
        raise FileFormatError(
            f"{path}: found {counts.tolist()} atoms, positions of shape {sites.shape} and a cell "
            f"of shape {cell.shape}; expected positions (n_atoms, 3) and a cell (3, 3). Write the "
            "file again."
        )
    if scale < 0:  # the volume of the cell
        scale = float(np.cbrt(-scale / abs(np.linalg.det(cell))))
    cell = cell * scale * ANGSTROM
    is_direct = "direct_coordinates" not in group or bool(group["direct_coordinates"][()])
    positions = sites @ cell if is_direct else sites * scale * ANGSTROM
    frame = Frame(atomic_numbers=np.repeat(numbers, counts), positions=positions, cell=cell)
    return frame, tuple(int(n) for n in counts)
