"""Gaussian cube files, as Gaussian, CP2K, PySCF, Quantum ESPRESSO and many others write them.

CP2K's ``V_HARTREE_CUBE`` holds the *negative* of the physical Hartree potential; the values are
read as they are (docs/conventions.md).

References
----------
Gaussian, "cubegen" (https://gaussian.com/cubegen/); P. Bourke, "Gaussian Cube Files" (2003).
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from zeroflux.errors import RepairWarning
from zeroflux.units import ANGSTROM
from zeroflux.volumetric.data import VolumetricData
from zeroflux.volumetric.header import frame_of, grid_of, integer, numbers
from zeroflux.volumetric.text import TextSource
from zeroflux.volumetric.writing import open_for_writing, reals, write_rows

SUFFIXES = (".cube", ".cub")


def read(path: Path, *, only_first: bool = False, n_threads: int = 1) -> VolumetricData:
    """Read a cube file.

    Negative voxel counts mean that all lengths are in ångström, a negative atom count that a
    line with the number of data sets follows the atoms. Atoms of number 0 (ghosts) are left out
    with a warning. Fields are called ``value``, or ``value_1``, ``value_2``, ... The charge
    column is kept in ``effective_charges`` when it holds any charge.

    Parameters
    ----------
    path
        The file, plain or compressed by gzip, xz or bzip2.
    only_first
        Keep only the first of several data sets, and warn if there are more.
    n_threads
        Threads that parse numbers.

    Raises
    ------
    FileFormatError
        If the file is not a complete cube file; the message starts with ``path:line``.
    """
    with TextSource(path, n_threads=n_threads) as source:
        for _ in range(2):
            source.expect_line("a comment line")
        tokens = source.expect_line("the number of atoms and the origin").split()
        n_atoms = integer(source, tokens[0] if tokens else "", "the number of atoms")
        origin = numbers(source, tokens[1:4], 3, "the origin")
        if len(tokens) > 5:
            raise source.error(
                f"found '{' '.join(tokens)[:60]}'; expected the number of atoms, the origin and at "
                "most the number of values per point. Check the header."
            )
        n_sets = integer(source, tokens[4], "the number of values per point") if tokens[4:] else 1
        counts, vectors, decimals = [], [], 12
        for axis in "abc":
            tokens = source.expect_line(f"the step along {axis}").split()
            counts.append(integer(source, tokens[0] if tokens else "", f"the points along {axis}"))
            vectors.append(numbers(source, tokens[1:], 3, f"the step along {axis}"))
            decimals = min(decimals, *(_decimals(t) for t in tokens[1:4]))
        grid_line = source.line - 1
        shape = _shape(source, counts)
        length_unit = ANGSTROM if counts[0] < 0 else 1.0
        steps = np.array(vectors) * length_unit
        grid = grid_of(
            source,
            steps * np.abs(counts)[:, None],
            shape,
            line=grid_line,
            origin=origin * length_unit,
        )
        atoms = np.zeros((abs(n_atoms), 5))
        for row in atoms:
            tokens = source.expect_line("an atom (number, charge, x, y, z)").split()
            row[:] = numbers(source, tokens, 5, "an atom (number, charge, x, y, z)")
            if row[0] % 1:
                raise source.error(f"found atomic number {row[0]:g}; expected an integer.")
        atom_line = source.line - 1
        if n_atoms < 0:
            n_sets = _data_sets(source, n_sets)
        if n_sets < 1:
            raise source.error(f"found {n_sets} values per point; expected 1 or more.")
        first_value_line = source.line
        values = source.numbers(grid.n_points * n_sets, what="values on the grid")
        names = ["value"] if n_sets == 1 else [f"value_{i + 1}" for i in range(n_sets)]
        source.expect_end()
        table = values.reshape(*shape, n_sets)
        kept = names[:1] if only_first else names
        if len(kept) < n_sets:
            warnings.warn(
                f"{path}: used the first of {n_sets} data sets; name another one by "
                f"{path.name}::{names[1]}.",
                RepairWarning,
                stacklevel=3,
            )
        is_atom = atoms[:, 0] != 0
        _warn_of_ghosts(path, is_atom)
        atoms = atoms[is_atom]
        frame = None
        if len(atoms):
            frame = frame_of(
                source,
                np.round(atoms[:, 0]).astype(np.int64),
                atoms[:, 2:] * length_unit,
                grid.cell,
                line=atom_line,
            )
    # each printed component is off by at most half a unit of its last digit
    half_digit = 0.5 * 10.0**-decimals * length_unit
    inverse = np.abs(np.linalg.inv(steps))
    return VolumetricData(
        grid=grid,
        fields={name: np.ascontiguousarray(table[..., i]) for i, name in enumerate(kept)},
        frame=frame,
        source=path,
        effective_charges=atoms[:, 1].copy() if np.any(atoms[:, 1] > 0) else None,
        relative_cell_error=float(half_digit * inverse.sum()),
        first_value_line=first_value_line,
    )


def write(path: Path, data: VolumetricData, *, digits: int = 11, header_decimals: int = 12) -> None:
    """Write a cube file, compressed if the name says so.

    Lengths in bohr. The header has 12 decimals rather than the customary 6, which falsify the
    volume of a fine grid by 1e-5; every free-format reader takes them.

    Raises
    ------
    ValueError
        If the data have no atoms to put into the header's count and more than one field (the
        count of data sets is signalled by a negative atom count).
    """
    n_sets = len(data.fields)
    frame = data.frame
    n_atoms = frame.n_atoms if frame else 0
    if n_sets > 1 and n_atoms == 0:
        raise ValueError("a cube file without atoms cannot hold several fields; write one per file")

    def row(count: int, *values: float) -> str:
        return f"{count:6d}" + reals(np.array(values), decimals=header_decimals) + "\n"

    lines = ["zeroflux\n", " ".join(data.fields) + "\n"]
    lines.append(row(n_atoms if n_sets == 1 else -n_atoms, *data.grid.origin))
    lines += [
        row(n, *step) for n, step in zip(data.grid.shape, data.grid.voxel_vectors, strict=True)
    ]
    if frame:
        charges = data.effective_charges
        charges = np.zeros(n_atoms) if charges is None else charges
        lines += [
            row(int(z), charge, *position)
            for z, charge, position in zip(
                frame.atomic_numbers, charges, frame.positions, strict=True
            )
        ]
    if n_sets > 1:
        lines.append("".join(f"{i:6d}" for i in (n_sets, *range(1, n_sets + 1))) + "\n")
    n_c = data.grid.shape[2] * n_sets
    values = data.first if n_sets == 1 else np.stack(list(data.fields.values()), axis=-1)
    with open_for_writing(path) as stream:
        stream.write("".join(lines).encode())
        write_rows(stream, values.reshape(-1, n_c), per_line=6, digits=digits)


def _shape(source: TextSource, counts: list[int]) -> tuple[int, int, int]:
    if 0 in counts or len({n > 0 for n in counts}) > 1:
        raise source.error(
            f"found {counts} as numbers of points; expected three positive ones (lengths in bohr) "
            "or three negative ones (ångström). Check the header."
        )
    a, b, c = (abs(n) for n in counts)
    return a, b, c


def _data_sets(source: TextSource, n_values: int) -> int:
    """Number of data sets, from the line (or lines) of their identifiers."""
    tokens = source.expect_line("the number of data sets").split()
    n_sets = integer(source, tokens[0] if tokens else "", "the number of data sets")
    if n_sets < 1:
        raise source.error(f"found {n_sets} data sets; expected 1 or more. Check the header.")
    n_found = len(tokens) - 1
    while n_found < n_sets:
        tokens = source.expect_line("the identifiers of the data sets").split()
        if not tokens:
            raise source.error(
                f"found {n_found} identifiers of data sets; expected {n_sets}. Check the header."
            )
        n_found += len(tokens)
    if n_found != n_sets:
        raise source.error(
            f"found {n_found} identifiers of data sets; expected {n_sets}. Check the header."
        )
    return n_sets * max(1, n_values)


def _warn_of_ghosts(path: Path, is_atom: np.ndarray) -> None:
    n_ghosts = int(np.sum(~is_atom))
    if n_ghosts:
        warnings.warn(
            f"{path}: left out {n_ghosts} of {len(is_atom)} atoms, of atomic number 0 (ghosts); "
            "their density goes to the real atoms.",
            RepairWarning,
            stacklevel=3,
        )


def _decimals(token: str) -> int:
    """Decimals printed, 0.123450 → 6; exponents count."""
    mantissa, _, exponent = token.lower().replace("d", "e").partition("e")
    power = int(exponent) if exponent else 0
    return max(0, len(mantissa.partition(".")[2]) - power)
