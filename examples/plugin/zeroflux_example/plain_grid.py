"""A format: JSON with a cell (Å), elements, positions (Å) and a density (e/Å³)."""

import json
from pathlib import Path

import numpy as np
from ase import Atoms

from zeroflux import Frame, UniformGrid
from zeroflux.errors import FileFormatError
from zeroflux.units import ANGSTROM
from zeroflux.volumetric import VolumetricData

SUFFIXES = (".grid.json",)


def read(path: Path, *, only_first: bool = False, n_threads: int = 1) -> VolumetricData:
    """The density of a file, in atomic units."""
    del only_first, n_threads
    try:
        content = json.loads(path.read_text())
        atoms = Atoms(content["elements"], content["positions"], cell=content["cell"], pbc=True)
        density = np.array(content["density"], dtype=np.float64) / ANGSTROM**3
    except (ValueError, KeyError) as error:
        raise FileFormatError(f"{path}:1: {error!r}; expected cell, elements, density.") from error
    frame = Frame.from_ase(atoms)
    return VolumetricData(
        grid=UniformGrid(cell=frame.cell, shape=density.shape),
        fields={"density": density},
        frame=frame,
        units={"density": "1/bohr^3"},
        source=path,
    )


def write(path: Path, data: VolumetricData) -> None:
    """The first field of some data."""
    atoms = data.frame.to_ase()
    content = {
        "cell": atoms.cell.tolist(),
        "elements": atoms.get_chemical_symbols(),
        "positions": atoms.positions.tolist(),
        "density": (data.first * ANGSTROM**3).tolist(),
    }
    path.write_text(json.dumps(content))
