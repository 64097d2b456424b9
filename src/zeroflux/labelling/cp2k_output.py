"""What CP2K leaves behind: energies in its output, orbitals in its restart file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from zeroflux.errors import FileFormatError

TERM_LINES = {
    "core_overlap": "Overlap energy of the core charge distribution:",
    "core_self": "Self energy of the core charge distribution:",
    "core_hamiltonian": "Core Hamiltonian energy:",
    "hartree": "Hartree energy:",
    "xc": "Exchange-correlation energy:",
    "kinetic": "Electronic kinetic energy:",
}
"""Terms of the energy by the words that CP2K prints before them."""

_TOTAL = re.compile(r"^\s*ENERGY\| Total FORCE_EVAL .*\s(\S+)\s*$", re.MULTILINE)
_CONVERGED = re.compile(r"\*\*\* SCF run converged in\s+(\d+) steps")
_NOT_CONVERGED = re.compile(r"SCF run NOT converged")
_STEP = re.compile(r"^\s*(\d+) OT ", re.MULTILINE)
_VERSION = re.compile(r"CP2K\| version string:\s*CP2K version (\S+)")


@dataclass(frozen=True)
class Cp2kEnergies:
    """Energies that CP2K prints (hartree)."""

    total: float
    """Total energy, NaN if none was printed."""
    terms: dict[str, float]
    """Terms by the names of `TERM_LINES`."""
    is_converged: bool
    n_cycles: int
    version: str


def read_energies(output: str) -> Cp2kEnergies | None:
    """Energies of a single-point calculation; None if the output ends before any SCF ended.

    Parameters
    ----------
    output
        Text that CP2K wrote.
    """
    converged = _CONVERGED.search(output)
    if not converged and not _NOT_CONVERGED.search(output):
        return None
    total = _TOTAL.search(output)
    terms = {}
    for name, words in TERM_LINES.items():
        found = re.findall(rf"^\s*{re.escape(words)}\s*(\S+)\s*$", output, re.MULTILINE)
        if found:
            terms[name] = float(found[-1])
    steps = _STEP.findall(output)
    version = _VERSION.search(output)
    return Cp2kEnergies(
        total=float(total.group(1)) if total else float("nan"),
        terms=terms,
        is_converged=converged is not None,
        n_cycles=int(converged.group(1)) if converged else int(steps[-1]) if steps else 0,
        version=version.group(1) if version else "unknown",
    )


@dataclass(frozen=True, eq=False)
class RestartOrbitals:
    """Orbitals of a closed-shell Γ-point calculation, as CP2K's restart file has them."""

    coefficients: Float[np.ndarray, "n_ao n_orbitals"]
    """One orbital a column; functions in CP2K's order, m = −l ... l within a shell."""
    occupations: Float[np.ndarray, " n_orbitals"]
    functions_of_shells: tuple[tuple[int, ...], ...]
    """Number of functions of each shell, 2l + 1, atom by atom."""


def read_restart_orbitals(path: Path) -> RestartOrbitals:
    """Read a restart file of Γ-point orbitals (``.wfn``).

    The file is a sequence of Fortran records: counts (atoms, spins, functions, sets and shells);
    sets of each atom; shells of each set; functions of each shell; then for each spin the number
    of orbitals, the eigenvalues with the occupations, and one record for each orbital.

    Raises
    ------
    FileFormatError
        If the file is not such a sequence, or has two spins.
    """
    records = list(_fortran_records(path))
    try:
        n_atoms, n_spins, n_ao, n_sets, n_shells = np.frombuffer(records[0], "<i4")
        # Fortran order: the first index runs fastest.
        sizes = np.frombuffer(records[3], "<i4").reshape(n_atoms, n_sets, n_shells)
        n_orbitals = int(np.frombuffer(records[4], "<i4")[0])
        occupations = np.frombuffer(records[5], "<f8").reshape(2, n_orbitals)[1]
        columns = [np.frombuffer(record, "<f8") for record in records[6 : 6 + n_orbitals]]
        coefficients = np.stack(columns, axis=1)
    except (ValueError, IndexError) as error:
        raise FileFormatError(
            f"{path}: {len(records)} records that are not those of Γ-point orbitals; expected a "
            "restart file (.wfn) of CP2K. Give the file of a finished calculation."
        ) from error
    if n_spins != 1 or coefficients.shape[0] != n_ao:
        raise FileFormatError(
            f"{path}: {n_spins} spins and orbitals of {coefficients.shape[0]} functions; expected "
            f"one spin and {n_ao} functions. Run a closed-shell calculation."
        )
    shells = tuple(tuple(int(n) for n in atom.ravel() if n) for atom in sizes)
    return RestartOrbitals(coefficients, occupations, shells)


def _fortran_records(path: Path) -> Any:
    data = memoryview(path.read_bytes())
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little", signed=True)
        stop = at + 4 + size
        if size < 0 or bytes(data[at : at + 4]) != bytes(data[stop : stop + 4]):
            raise FileFormatError(
                f"{path}: no Fortran record at byte {at}; expected length, data and length again. "
                "The file is damaged or of another program."
            )
        yield data[at + 4 : stop]
        at = stop + 4


def shells_of(basis: Sequence[Any]) -> tuple[int, ...]:
    """Number of functions of each shell of an atom with a basis set in PySCF's form."""
    ordered = sorted(basis, key=lambda shell: shell[0])
    return tuple(2 * int(angular) + 1 for angular, first, *_ in ordered for _ in first[1:])


def restart_rows(shells: tuple[tuple[int, ...], ...]) -> np.ndarray:
    """Rows of CP2K's coefficients in PySCF's order of functions.

    CP2K orders the functions of a shell by m = −l ... l; so does PySCF but for p, which are x, y,
    z (m = 1, −1, 0). Both count atom by atom and, within an atom, shell by shell in the order in
    which the basis was written.
    """
    rows: list[int] = []
    start = 0
    for atom in shells:
        for n in atom:
            order = (2, 0, 1) if n == 3 else range(n)
            rows += [start + m for m in order]
            start += n
    return np.asarray(rows)
