"""XCrySDen's XSF files with three-dimensional data grids.

Lengths are in ångström; the format does not state the unit of the values. The grid is a *general*
one: its last point along each direction repeats the first, and is dropped. Files of molecules whose
last point does not repeat the first are recognised by their number of electrons.

References
----------
A. Kokalj, "XSF specification" (http://www.xcrysden.org/doc/XSF.html).
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers as NUMBER_OF_SYMBOL

from zeroflux.errors import RepairWarning
from zeroflux.grids import UniformGrid
from zeroflux.units import ANGSTROM
from zeroflux.volumetric.data import VolumetricData
from zeroflux.volumetric.header import frame_of, grid_of, integer, numbers
from zeroflux.volumetric.planes import read_planes
from zeroflux.volumetric.text import TextSource
from zeroflux.volumetric.writing import open_for_writing, reals, write_run

SUFFIXES = (".xsf",)
DECAYED = 1e-4
"""Part of the largest value below which the faces of a grid are outside of a molecule."""
_KEYWORDS = (
    "CRYSTAL", "SLAB", "POLYMER", "MOLECULE", "DIM-GROUP", "PRIMVEC", "CONVVEC", "PRIMCOORD",
    "CONVCOORD", "ATOMS", "ANIMSTEPS", "BEGIN_", "END_", "DATAGRID", "INFO",
)  # fmt: skip


def read(path: Path, *, only_first: bool = False, n_threads: int = 1) -> VolumetricData:
    """Read all three-dimensional data grids of an XSF file.

    Fields carry the names of the data grids. All grids must span the primitive cell.

    Parameters
    ----------
    path
        The file, plain or compressed by gzip, xz or bzip2.
    only_first
        Stop after the first data grid.
    n_threads
        Threads that parse numbers.

    Raises
    ------
    FileFormatError
        If the file is not a complete XSF file with a data grid.
    """
    cell = None
    atoms: list[tuple[int, np.ndarray]] = []
    atom_line = first_value_line = 0
    grids = []
    fields: dict[str, np.ndarray] = {}
    with TextSource(path, n_threads=n_threads) as source:
        line = source.readline()
        while line is not None and not (only_first and fields):
            keyword = line.strip().upper()
            line = None
            if keyword.startswith("ANIMSTEPS"):
                raise source.error(
                    "found ANIMSTEPS, an animation; expected one configuration. Write each step "
                    "to a file of its own."
                )
            if keyword.startswith("PRIMVEC"):
                cell = _vectors(source, "a primitive vector")
            elif keyword.startswith("DIM-GROUP"):
                if len(keyword.split()) == 1:
                    source.expect_line("the dimensionality and the group")
            elif keyword.startswith("CONVVEC"):
                _vectors(source, "a conventional vector")
            elif keyword.startswith(("PRIMCOORD", "CONVCOORD")):
                tokens = source.expect_line("the number of atoms").split()
                count = integer(source, tokens[0] if tokens else "", "the number of atoms")
                found = [_atom(source, source.expect_line("an atom")) for _ in range(count)]
                if keyword.startswith("PRIMCOORD"):
                    atoms, atom_line = found, source.line - 1
            elif keyword.startswith("ATOMS"):
                while (line := source.readline()) is not None and _is_data(line):
                    atoms.append(_atom(source, line))
                    atom_line = source.line - 1
            elif keyword.startswith(("BEGIN_DATAGRID_3D", "DATAGRID_3D")):
                name = keyword.partition("DATAGRID_3D")[2].strip("_ ").lower() or "value"
                grid, grid_line = _grid(source, cell)
                first_value_line = first_value_line or source.line
                values = read_planes(source, grid.shape, has_repeated_ends=True)
                if grids and grid.shape != grids[0].shape:
                    raise source.error(
                        f"found a second grid of {grid.shape} points; expected the first one's "
                        f"{grids[0].shape}. Write fields of different grids to different files.",
                        line=grid_line,
                    )
                grids.append(grid)
                fields[f"{name}_{len(fields) + 1}" if name in fields else name] = values
                if (end := source.expect_line("END_DATAGRID_3D")).strip() == "":
                    end = source.expect_line("END_DATAGRID_3D")
                if not end.strip().upper().startswith("END_DATAGRID"):
                    raise source.error(
                        f"found '{end.strip()[:40]}' after the last value; expected "
                        "END_DATAGRID_3D. The grid's shape does not fit the number of values."
                    )
            elif keyword.startswith("BEGIN_BLOCK"):
                source.expect_line("the name of a block")
            elif keyword and not keyword.startswith(("#", *_KEYWORDS)):
                raise source.error(f"found '{keyword[:40]}'; expected an XSF keyword.")
            line = line if line is not None else source.readline()
        if not fields:
            raise source.error(
                "found no data grid; expected a block BEGIN_DATAGRID_3D. Write the density to the "
                "file, not only the structure.",
                line=source.line,
            )
        grids[0] = _without_repeated_ends(source, grids[0], next(iter(fields.values())))
        frame = None
        if atoms:
            frame = frame_of(
                source,
                np.array([number for number, _ in atoms], dtype=np.int64),
                np.array([position for _, position in atoms]) * ANGSTROM,
                grids[0].cell,
                line=atom_line,
            )
    return VolumetricData(
        grid=grids[0],
        fields=fields,
        frame=frame,
        source=path,
        first_value_line=first_value_line,
    )


def write(path: Path, data: VolumetricData, *, digits: int = 11) -> None:
    """Write an XSF file with one data grid for each field, compressed if the name says so."""
    lines = ["CRYSTAL", "PRIMVEC"]
    lines += [reals(row) for row in data.grid.cell / ANGSTROM]
    if data.frame:
        lines += ["PRIMCOORD", f" {data.frame.n_atoms} 1"]
        lines += [
            f" {z:3d}" + reals(position)
            for z, position in zip(
                data.frame.atomic_numbers, data.frame.positions / ANGSTROM, strict=True
            )
        ]
    lines += ["BEGIN_BLOCK_DATAGRID_3D", " zeroflux"]
    with open_for_writing(path) as stream:
        stream.write(("\n".join(lines) + "\n").encode())
        for name, values in data.fields.items():
            head = [f" BEGIN_DATAGRID_3D_{name}"]
            head += ["".join(f" {n + 1:5d}" for n in data.grid.shape)]
            head += [reals(data.grid.origin / ANGSTROM)]
            head += [reals(row) for row in data.grid.cell / ANGSTROM]
            stream.write(("\n".join(head) + "\n").encode())
            general = np.pad(values, ((0, 1), (0, 1), (0, 1)), mode="wrap")
            write_run(stream, general.ravel(order="F"), per_line=6, digits=digits)
            stream.write(b" END_DATAGRID_3D\n")
        stream.write(b"END_BLOCK_DATAGRID_3D\n")


def _vectors(source: TextSource, what: str) -> np.ndarray:
    rows = [numbers(source, source.expect_line(what).split(), 3, what) for _ in range(3)]
    return np.array(rows) * ANGSTROM


def _grid(source: TextSource, cell: np.ndarray | None):
    """Grid of a data grid's header; the cell of PRIMVEC has more digits and is preferred."""
    tokens = source.expect_line("the grid's shape").split()
    if len(tokens) != 3:
        raise source.error(
            f"found '{' '.join(tokens)[:40]}' as the grid's shape; expected three integers."
        )
    a, b, c = (integer(source, t, "the grid's shape") - 1 for t in tokens)
    line = source.line - 1
    if min(a, b, c) < 1:
        raise source.error(
            f"found a grid of {a + 1} x {b + 1} x {c + 1} points; expected at least 2 each, the "
            "last of which repeats the first."
        )
    what = "the grid's origin"
    origin = numbers(source, source.expect_line(what).split(), 3, what) * ANGSTROM
    span = _vectors(source, "a spanning vector")
    if cell is not None:
        change = float(np.abs(span - cell).max() / np.abs(cell).max())
        if change > 1e-4:
            raise source.error(
                f"the grid's spanning vectors differ from PRIMVEC by {change:.2g} (relative); "
                "expected a grid that spans the primitive cell (1e-4). Write the field on the "
                "whole cell."
            )
        span = cell
    return grid_of(source, span, (a, b, c), line=line, origin=origin), line


def _without_repeated_ends(source: TextSource, grid: UniformGrid, values: np.ndarray):
    """The grid, or a cell one step shorter if that makes the number of electrons whole.

    Where a density has decayed at all faces, values do not tell whether the last point repeats
    the first. Some programs write N points in N steps, and the format's N − 1 steps are then too
    long: by 4 % of the volume for 80 points.
    """
    highest = float(values.max())
    faces = [values.take(0, axis=axis) for axis in range(3)]
    if highest <= 0 or max(float(np.abs(f).max()) for f in faces) > DECAYED * highest:
        return grid
    shorter = np.array(grid.shape) / (np.array(grid.shape) + 1)
    as_stated = float(values.sum()) * grid.voxel_volume
    counts = np.outer([as_stated, as_stated * shorter.prod()], [1.0, ANGSTROM**-3])
    off_as_stated, off_shorter = np.abs(counts - np.maximum(1.0, np.round(counts))).min(axis=1)
    if off_shorter > 1e-3 or off_as_stated < 20 * off_shorter or off_as_stated < 0.01:
        return grid
    warnings.warn(
        f"{source.path}: the density integrates to {counts[0, 0]:.4f} electrons if the last points "
        f"repeat the first, and to {counts[1, 0]:.4f} if they do not ({counts[1, 1]:.4f} in "
        "e/ångström³); expected a whole number, and took the latter: the steps are "
        f"{1 - shorter.min():.2%} shorter. Write a cube file to leave no doubt.",
        RepairWarning,
        stacklevel=4,
    )
    return UniformGrid(grid.cell * shorter[:, None], grid.shape, grid.origin)


def _is_data(line: str) -> bool:
    text = line.strip().upper()
    return not text.startswith(_KEYWORDS)


def _atom(source: TextSource, line: str) -> tuple[int, np.ndarray]:
    tokens = line.split()
    label = tokens[0] if tokens else ""
    number = NUMBER_OF_SYMBOL.get(label.capitalize(), 0)
    if not number:
        number = integer(source, label, "an atom (number or symbol, x, y, z)")
    # forces may follow the position
    n = 6 if len(tokens) >= 7 else 3
    return number, numbers(source, tokens[1:], n, "the position of an atom")[:3]
