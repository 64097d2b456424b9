"""VASP's grid files: CHGCAR, AECCAR0 to 2, CHG, PARCHG, LOCPOT, ELFCAR, and the EDM_* files.

All but LOCPOT and ELFCAR hold the quantity times the volume of the cell, in eV and ångström. The
``EDM_*`` files of the Energy Density Method have that form for energy densities and potentials
alike.

References
----------
VASP manual, "CHGCAR" and "POSCAR" (https://www.vasp.at/wiki).
M. Yu, D. R. Trinkle, R. M. Martin, Phys. Rev. B 83, 115113 (2011),
doi 10.1103/PhysRevB.83.115113.
"""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers as NUMBER_OF_SYMBOL
from ase.data import chemical_symbols

from zeroflux.errors import FileFormatError, RepairWarning
from zeroflux.frames import Frame
from zeroflux.units import ANGSTROM
from zeroflux.volumetric.data import ATOMIC_UNIT_OF, UNITS, VolumetricData
from zeroflux.volumetric.header import frame_of, grid_of, integer, is_integer, is_real, numbers
from zeroflux.volumetric.planes import read_planes
from zeroflux.volumetric.potcar import find_potcar, read_potcar
from zeroflux.volumetric.text import TextSource
from zeroflux.volumetric.writing import open_for_writing, write_run

NAMES = ("CHGCAR", "AECCAR", "CHG", "PARCHG", "LOCPOT", "ELFCAR", "EDM_")
SUFFIXES = (".vasp", ".chgcar")
SPIN_NAMES = {
    1: ("total",),
    2: ("total", "magnetization"),
    4: ("total", "magnetization_x", "magnetization_y", "magnetization_z"),
}

# name of the file → unit in the file and whether the values carry the factor of the volume
_CONTENTS = (
    (r"LOCPOT", "eV", False),
    (r"ELFCAR", "unknown", False),
    (r"EDM_(T[ac]|VnCAR|exc)", "eV/angstrom^3", True),
    (r"EDM_(VCCCAR|VTCAR|VloCAR|VhCAR|VmodCAR)", "eV", True),
    (r"", "1/angstrom^3", True),
)


def contents_of(path: Path) -> tuple[str, bool]:
    """Unit of the values in a file, and whether they are multiplied by the volume, by its name."""
    return next(
        (unit, scaled) for pattern, unit, scaled in _CONTENTS if re.search(pattern, path.name)
    )


def read(
    path: Path,
    *,
    only_first: bool = False,
    n_threads: int = 1,
    symbols: Sequence[str] | None = None,
) -> VolumetricData:
    """Read a VASP 4, 5 or 6 grid file.

    Fields are ``total`` and, of spin-polarised or non-collinear runs, ``magnetization`` or
    ``magnetization_x`` to ``_z``; one-centre (augmentation) occupancies are skipped. A VASP 4
    header names no elements: they are taken from a POTCAR beside the file (plain or compressed),
    else from the first line, and if neither has them, ``frame`` is None.

    Parameters
    ----------
    path
        The file, plain or compressed by gzip, xz or bzip2.
    only_first
        Stop after the first block; only the start of the next one is looked at.
    n_threads
        Threads that parse numbers.
    symbols
        Elements, one for each group of atoms, for a VASP 4 header; they replace those of the file.

    Raises
    ------
    FileFormatError
        If the file is not complete; the message starts with ``path:line``.
    """
    unit, is_scaled = contents_of(path)
    with TextSource(path, n_threads=n_threads) as source:
        cell, frame, group_sizes = _structure(source, symbols)
        grid_tokens = _next_filled(source).split()
        grid_line = source.line - 1
        shape = _grid_shape(source, grid_tokens)
        grid = grid_of(source, cell, shape, line=grid_line)
        factor = UNITS[unit] / (grid.volume / ANGSTROM**3 if is_scaled else 1.0)
        first_value_line = source.line
        blocks = [read_planes(source, shape, factor=factor)]
        # also for the first block alone: values too many must not go unnoticed
        while has_more := _another_block(source, grid_tokens, sum(group_sizes)):
            if only_first:
                break
            blocks.append(read_planes(source, shape, factor=factor))
            if len(blocks) > 4:
                raise source.error(
                    "found a fifth block of values; expected 1 (no spin), 2 (spin) or 4 "
                    "(non-collinear). Are several files joined in one?"
                )
    names = SPIN_NAMES.get(len(blocks))
    if names is None:
        raise FileFormatError(
            f"{path}:{source.line}: found {len(blocks)} blocks of values; expected 1 (no spin), "
            "2 (spin) or 4 (non-collinear). Is the file truncated?"
        )
    return VolumetricData(
        grid=grid,
        fields=dict(zip(names, blocks, strict=True)),
        frame=frame,
        units=dict.fromkeys(names, ATOMIC_UNIT_OF[unit]),
        source=path,
        group_sizes=group_sizes,
        has_more=has_more,
        first_value_line=first_value_line,
    )


def write(path: Path, data: VolumetricData, *, digits: int = 11, header_decimals: int = 6) -> None:
    """Write a VASP 5 grid file, compressed if the name says so.

    The kind of contents, and with it unit and factor, follows from the file's name as in `read`.
    The header has the columns and the six decimals that VASP writes (1X,3F12.6 and 3F10.6), since
    some programs, such as Henkelman's bader, read it by their widths. They change a cell of 12 Å by
    4e-8; integrals of the values do not notice. Free-format readers take more decimals.

    Raises
    ------
    ValueError
        If there are no atoms, or the grid does not start at the origin.
    """
    if data.frame is None or np.abs(data.grid.origin).max() > 1e-9:
        raise ValueError("a VASP file needs atoms and a grid that starts at the origin")
    unit, is_scaled = contents_of(path)
    factor = (data.grid.volume / ANGSTROM**3 if is_scaled else 1.0) / UNITS[unit]
    numbers_of = data.frame.atomic_numbers
    runs = [(chemical_symbols[z], len(list(run))) for z, run in itertools.groupby(numbers_of)]
    lines = ["zeroflux", "   1.00000000000000"]
    vectors, sites = data.grid.cell / ANGSTROM, data.frame.fractional_positions
    lines += [" " + _columns(row, header_decimals + 6, header_decimals) for row in vectors]
    lines += ["".join(f" {s:>5}" for s, _ in runs), "".join(f" {n:5d}" for _, n in runs)]
    lines += ["Direct"]
    lines += [_columns(row, header_decimals + 4, header_decimals) for row in sites]
    shape_line = "".join(f" {n:5d}" for n in data.grid.shape)
    with open_for_writing(path) as stream:
        stream.write(("\n".join(lines) + "\n\n").encode())
        for values in data.fields.values():
            stream.write((shape_line + "\n").encode())
            write_run(stream, values.ravel(order="F") * factor, per_line=5, digits=digits)


def _columns(values: np.ndarray, width: int, decimals: int) -> str:
    """Numbers in columns of one width, as Fortran writes them."""
    return "".join(f"{value:{width}.{decimals}f}" for value in values)


def _structure(
    source: TextSource, given: Sequence[str] | None
) -> tuple[np.ndarray, Frame | None, tuple[int, ...]]:
    """Cell (bohr), atoms if their elements are known, number of atoms of each group."""
    comment = source.expect_line("a comment line")
    tokens = source.expect_line("the scale factor").split()
    scale = numbers(source, tokens[:1], 1, "the scale factor")[0]
    if len(tokens) > 1 and is_real(tokens[1]):
        raise source.error(
            f"found {len(tokens)} scale factors; expected one. Multiply the lattice vectors by "
            "them and write 1.0."
        )
    rows = [
        numbers(source, source.expect_line("a lattice vector").split(), 3, "a lattice vector")
        for _ in range(3)
    ]
    cell = np.array(rows)
    volume = abs(np.linalg.det(cell))
    if scale == 0 or volume < 1e-12:
        raise source.error(
            f"found a scale factor of {scale} and lattice vectors of volume {volume:.3g}; expected "
            "a cell. Check the header."
        )
    if scale < 0:  # the volume of the cell
        scale = float(np.cbrt(-scale / volume))
    tokens = source.expect_line("the elements or the numbers of atoms").split()
    symbols: list[str] | None = None
    if tokens and not is_integer(tokens[0]):
        symbols = [_element(source, t) for t in tokens]
        tokens = source.expect_line("the numbers of atoms").split()
    counts = [integer(source, t, "a number of atoms") for t in tokens]
    if not counts or min(counts) < 1 or (symbols and len(symbols) != len(counts)):
        raise source.error(
            f"found {counts} as the numbers of atoms of {symbols or 'the elements'}; expected one "
            "positive number for each. Check the header."
        )
    count_line = source.line - 1
    mode = source.expect_line("'Direct' or 'Cartesian'").strip()
    if mode[:1].lower() == "s":  # selective dynamics
        mode = source.expect_line("'Direct' or 'Cartesian'").strip()
    if not mode[:1].isalpha():
        raise source.error(
            f"found '{mode[:40]}'; expected 'Direct' or 'Cartesian'. Check the header."
        )
    n_atoms = sum(counts)
    positions = np.array(
        [
            numbers(source, source.expect_line("a position").split(), 3, "a position")
            for _ in range(n_atoms)
        ]
    )
    cell = cell * scale * ANGSTROM
    is_cartesian = mode[0].lower() in "ck"
    positions = positions * scale * ANGSTROM if is_cartesian else positions @ cell
    if given is not None:
        symbols = _given_elements(source, given, counts)
    symbols = symbols or _guess_elements(source, comment, len(counts))
    if symbols is None:
        return cell, None, tuple(counts)
    atomic_numbers = np.repeat([NUMBER_OF_SYMBOL[s] for s in symbols], counts).astype(np.int64)
    frame = frame_of(source, atomic_numbers, positions, cell, line=count_line)
    return cell, frame, tuple(counts)


def _element(source: TextSource, label: str) -> str:
    """Element of a label such as ``Si``, ``Si_GW``, ``H.5`` or ``Si/3a1b``."""
    symbol = re.split(r"[_./\d]", label)[0]
    if NUMBER_OF_SYMBOL.get(symbol, 0) < 1:
        raise source.error(
            f"found '{label[:40]}' as an element; expected a chemical symbol. Check the header."
        )
    return symbol


def _given_elements(source: TextSource, given: Sequence[str], counts: list[int]) -> list[str]:
    """The caller's elements, if they fit the header."""
    if len(given) != len(counts):
        raise source.error(
            f"found {len(counts)} groups of atoms ({counts}), but {len(given)} elements were given "
            f"({', '.join(given)}); expected one for each group. Correct --symbols."
        )
    return [_element(source, label) for label in given]


def _guess_elements(source: TextSource, comment: str, n_groups: int) -> list[str] | None:
    """Elements of a VASP 4 file: of the POTCAR beside it, else of its comment, which is free."""
    symbols = comment.split()
    is_list = all(NUMBER_OF_SYMBOL.get(s, 0) > 0 for s in symbols)
    from_comment = symbols if is_list and len(symbols) == n_groups else None
    potcar = find_potcar(source.path)
    from_potcar = [entry.symbol for entry in read_potcar(potcar)] if potcar else []
    if potcar is None or not from_potcar:
        return from_comment
    if len(from_potcar) != n_groups:
        raise source.error(
            f"found {n_groups} groups of atoms without elements, and {len(from_potcar)} "
            f"pseudopotentials ({', '.join(from_potcar)}) in {potcar}; expected one for each "
            "group. Put the calculation's own POTCAR beside the file, or give the elements: "
            "--symbols."
        )
    if from_comment and set(from_comment) != set(from_potcar):
        raise source.error(
            f"the comment reads {' '.join(from_comment)}, {potcar} lists {' '.join(from_potcar)}; "
            "expected the same elements. Put the calculation's own POTCAR beside the file, or give "
            "the elements: --symbols.",
            line=1,
        )
    if from_comment and from_comment != from_potcar:
        warnings.warn(
            f"{source.path}:1: the comment reads {' '.join(from_comment)}, {potcar.name} lists "
            f"{' '.join(from_potcar)}; took the order of {potcar.name}, which is that of the "
            "calculation. If it is another one's, give the elements: --symbols.",
            RepairWarning,
            stacklevel=5,
        )
    return from_potcar


def _next_filled(source: TextSource) -> str:
    line = source.expect_line("the grid's shape")
    while not line.strip():
        line = source.expect_line("the grid's shape")
    return line


def _grid_shape(source: TextSource, tokens: list[str]) -> tuple[int, int, int]:
    if len(tokens) != 3:
        raise source.error(
            f"found '{' '.join(tokens)[:60]}' as the grid's shape; expected three integers. "
            "Check that the header lists as many atoms as it announces."
        )
    a, b, c = (integer(source, t, "the grid's shape") for t in tokens)
    if min(a, b, c) < 1:
        raise source.error(f"found a grid of {a} x {b} x {c} points; expected positive numbers.")
    return a, b, c


def _another_block(source: TextSource, grid_tokens: list[str], n_atoms: int) -> bool:
    """Skip one-centre terms; whether another block of values follows.

    Between blocks stand, for every atom, ``augmentation occupancies I N`` and N numbers, then
    (spin-polarised) one number for each atom, and the grid's shape again.
    """
    n_moments = 0
    while (line := source.readline()) is not None:
        tokens = line.split()
        if not tokens:
            continue
        if tokens == grid_tokens:
            return True
        if tokens[0].lower() == "augmentation" and len(tokens) >= 4:
            n_values = integer(source, tokens[-1], "the number of augmentation occupancies")
            if n_values < 0:
                raise source.error(
                    f"found {n_values} augmentation occupancies; expected 0 or more."
                )
            source.numbers(n_values, what="augmentation occupancies")
            continue
        n_moments += len(numbers(source, tokens, len(tokens), "magnetic moments of the atoms"))
        if n_moments > n_atoms:
            break
    if n_moments:
        raise source.error(
            f"found {n_moments} or more numbers after the last value; expected the end of the "
            "file, augmentation occupancies, or the grid's shape again. The header announces "
            "fewer values than there are: check the grid's shape."
        )
    return False
