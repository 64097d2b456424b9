"""Input of CP2K: the same basis, pseudopotential and functional that PySCF is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ase.data import chemical_symbols

from zeroflux.frames import Frame

RYDBERG_PER_HARTREE = 2.0
BASIS_FILE = "BASIS"
POTENTIAL_FILE = "POTENTIAL"
PROJECT = "zeroflux"
BASIS_NAME = "ZEROFLUX-BASIS"
POTENTIAL_NAME = "GTH-ZEROFLUX"  # CP2K reads the type of a potential off its first letters


@dataclass(frozen=True)
class Cp2kNumerics:
    """Numerical settings of a CP2K calculation at the Γ point."""

    density_cutoff: float
    """Plane-wave cutoff of the density's grid (hartree)."""
    relative_cutoff: float
    """Cutoff of the grid on which a Gaussian of exponent 1 is placed (hartree)."""
    n_grid_levels: int
    """Number of multigrid levels."""
    precision: float
    """CP2K's EPS_DEFAULT."""
    convergence: float
    """CP2K's EPS_SCF: largest element of the orbital gradient."""
    max_cycles: int
    """SCF steps before a configuration counts as not converged."""


def input_text(
    frame: Frame,
    *,
    functional: Sequence[tuple[str, float]],
    numerics: Cp2kNumerics,
    cubes: Sequence[str] = (),
) -> str:
    """Input file of a single-point energy.

    Parameters
    ----------
    frame
        Configuration; all its directions are periodic.
    functional
        Parts of the functional by their libxc names, and their factors.
    numerics
        Cutoffs and thresholds.
    cubes
        Print keys of cube files wanted, such as ``LOCAL_ENERGY_CUBE``.
    """
    cubes_text = "\n".join(f"      &{key}\n        STRIDE 1 1 1\n      &END {key}" for key in cubes)
    return f"""&GLOBAL
  PROJECT {PROJECT}
  RUN_TYPE ENERGY
  PRINT_LEVEL MEDIUM
&END GLOBAL
&FORCE_EVAL
  METHOD QUICKSTEP
  &DFT
    BASIS_SET_FILE_NAME {BASIS_FILE}
    POTENTIAL_FILE_NAME {POTENTIAL_FILE}
    &MGRID
      CUTOFF [Ry] {RYDBERG_PER_HARTREE * numerics.density_cutoff!r}
      REL_CUTOFF [Ry] {RYDBERG_PER_HARTREE * numerics.relative_cutoff!r}
      NGRIDS {numerics.n_grid_levels}
    &END MGRID
    &QS
      METHOD GPW
      EPS_DEFAULT {numerics.precision!r}
    &END QS
    &SCF
      SCF_GUESS ATOMIC
      EPS_SCF {numerics.convergence!r}
      MAX_SCF {numerics.max_cycles}
      &OT
        MINIMIZER DIIS
        PRECONDITIONER FULL_ALL
      &END OT
      &PRINT
        &RESTART
          BACKUP_COPIES 0
        &END RESTART
        &RESTART_HISTORY OFF
        &END RESTART_HISTORY
      &END PRINT
    &END SCF
    &XC
      &XC_FUNCTIONAL
{_functional_text(functional)}
      &END XC_FUNCTIONAL
    &END XC
    &PRINT
      &KINETIC_ENERGY
      &END KINETIC_ENERGY
      &MULLIKEN OFF
      &END MULLIKEN
      &LOWDIN OFF
      &END LOWDIN
      &HIRSHFELD OFF
      &END HIRSHFELD
{cubes_text}
    &END PRINT
  &END DFT
  &SUBSYS
{_subsystem_text(frame)}
  &END SUBSYS
&END FORCE_EVAL
"""


def _functional_text(parts: Sequence[tuple[str, float]]) -> str:
    return "\n".join(
        f"        &{name}\n          SCALE {factor!r}\n        &END {name}"
        for name, factor in parts
    )


def basis_text(bases: Mapping[str, Sequence[Any]]) -> str:
    """Basis sets in CP2K's format.

    Parameters
    ----------
    bases
        By element symbol, PySCF's form: lists ``[l, [exponent, coefficient, ...], ...]``.
    """
    blocks = []
    for symbol, shells in bases.items():
        sets = list(_sets(shells))
        lines = [f"{symbol} {BASIS_NAME}", f"  {len(sets)}"]
        for l_first, members in sets:
            n_contractions = [len(shell[0]) - 1 for shell in members]
            l_last = l_first + len(members) - 1
            exponents = [row[0] for row in members[0]]
            # The first number is a principal quantum number, which a contraction does not need.
            head = [l_last + 1, l_first, l_last, len(exponents), *n_contractions]
            lines.append("  " + " ".join(map(str, head)))
            for i, exponent in enumerate(exponents):
                row = [exponent, *(c for shell in members for c in shell[i][1:])]
                lines.append("  " + " ".join(repr(float(x)) for x in row))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def potential_text(potentials: Mapping[str, Sequence[Any]]) -> str:
    """Goedecker-Teter-Hutter pseudopotentials in CP2K's format.

    Parameters
    ----------
    potentials
        By element symbol, PySCF's form: electrons per l, r_loc, number and list of C, number of
        projector channels, and for each ``[r, n, h]``.
    """
    blocks = []
    for symbol, (electrons, r_local, n_local, local, n_channels, *channels) in potentials.items():
        lines = [
            f"{symbol} {POTENTIAL_NAME}",
            "  " + " ".join(map(str, electrons)),
            "  " + " ".join([repr(r_local), str(n_local), *map(repr, local)]),
            f"  {n_channels}",
        ]
        for radius, n_projectors, h in channels:
            upper = [" ".join(repr(x) for x in h[i][i:]) for i in range(n_projectors)]
            lines.append(f"  {radius!r} {n_projectors} " + (upper[0] if upper else ""))
            lines += [f"    {row}" for row in upper[1:]]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _sets(shells: Sequence[Any]) -> Iterator[tuple[int, list[Any]]]:
    """Shells of rising l that share their exponents, which CP2K treats together.

    The order of the functions, by l and then by contraction, is PySCF's.
    """
    members: list[Any] = []
    first = 0
    for l_shell, *rows in sorted(shells, key=lambda shell: shell[0]):
        joins = (
            members
            and l_shell == first + len(members)
            and [row[0] for row in rows] == [row[0] for row in members[0]]
        )
        if members and not joins:
            yield first, members
            members = []
        if not members:
            first = l_shell
        members.append(rows)
    yield first, members


def _subsystem_text(frame: Frame) -> str:
    def numbers(row: Any) -> str:
        return " ".join(repr(float(x)) for x in row)

    symbols = [chemical_symbols[z] for z in frame.atomic_numbers]
    lines = ["    &CELL"]
    lines += [
        f"      {name} [bohr] {numbers(row)}" for name, row in zip("ABC", frame.cell, strict=True)
    ]
    lines += ["      PERIODIC XYZ", "    &END CELL", "    &COORD", "      UNIT bohr"]
    lines += [f"      {s} {numbers(r)}" for s, r in zip(symbols, frame.positions, strict=True)]
    lines.append("    &END COORD")
    for symbol in sorted(set(symbols)):
        lines += [
            f"    &KIND {symbol}",
            f"      BASIS_SET {BASIS_NAME}",
            f"      POTENTIAL {POTENTIAL_NAME}",
            "    &END KIND",
        ]
    return "\n".join(lines)
