"""Basis sets, pseudopotentials and functionals by name: what all engines are given alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from jaxtyping import Float

from zeroflux.errors import LabelError, missing_extra
from zeroflux.frames import Frame

DEFAULT_BASIS = "5S5P4D1F-GTH-PBE-q8"
"""Basis set of argon and krypton within 0.5 meV per atom of plane waves; see docs/basis.md."""
OTHER_BASIS = "DZVP-MOLOPT-PBE-GTH-q8"
"""Basis set of elements that DEFAULT_BASIS does not have."""
BASIS_FILE = Path(__file__).with_name("BASIS_ZEROFLUX")
"""Basis sets that come with the package, in CP2K's format."""


def periodic_pyscf() -> Any:
    """PySCF's module of periodic cells, ``pyscf.pbc.gto``.

    Raises
    ------
    MissingExtraError
        If PySCF is not installed.
    """
    try:
        from pyscf import __config__

        # Before the first import: PySCF transforms meshes of a prime by dense matrix products,
        # a tenth of the time of a label. Any name that it does not know stands for SciPy.
        __config__.pbc_tools_pbc_fft_engine = "SCIPY"
        from pyscf.pbc import gto
    except ImportError as error:
        raise missing_extra("pyscf", "dft") from error
    return gto


def basis_set(name: str, symbol: str) -> list[Any]:
    """Basis set of an element, from our file BASIS_ZEROFLUX or PySCF's BASIS_MOLOPT_UZH.

    Returns
    -------
    Shells ``[l, [exponent, coefficient, ...], ...]`` of normalised primitives.

    Raises
    ------
    LabelError
        If the element has no basis set of this name.
    """
    gto = periodic_pyscf()
    from pyscf.gto.basis import parse_cp2k
    from pyscf.lib.exceptions import BasisNotFoundError

    lines = _block_of(BASIS_FILE, symbol, name)
    if lines is not None:
        return parse_cp2k.parse("\n".join(lines))
    try:
        return gto.basis.load(name, symbol)
    except (BasisNotFoundError, KeyError, RuntimeError) as error:
        raise LabelError(
            f"Found element {symbol}, for which there is no basis set '{name}'; "
            "expected an element of that set, such as Ar or Kr. Change the structure or "
            "`label.basis`."
        ) from error


def pseudopotential(name: str, symbol: str) -> list[Any]:
    """Goedecker-Teter-Hutter pseudopotential of an element from PySCF's file POTENTIAL_UZH.

    Returns
    -------
    Electrons per l, r_loc, number and list of C, number of channels, and for each channel
    ``[r, n, h]``.

    Raises
    ------
    LabelError
        If the element has no pseudopotential of this name.
    """
    gto = periodic_pyscf()
    from pyscf.gto.basis import parse_cp2k_pp

    # Not by name: PySCF looks a name up in its older file GTH_POTENTIALS first.
    lines = _block_of(Path(gto.pseudo.__file__).parent / "POTENTIAL_UZH", symbol, name)
    if lines is None:
        raise LabelError(
            f"Found element {symbol}, for which POTENTIAL_UZH has no pseudopotential "
            f"'{name}'; expected an element of that set, such as Ar or Kr. "
            "Change the structure or `label.pseudopotential`."
        )
    return parse_cp2k_pp._parse(lines)


@dataclass(frozen=True, eq=False)
class Ions:
    """Local parts of the pseudopotentials of all atoms."""

    charges: Float[np.ndarray, " n_atoms"]
    """Ion charges Z_A (e)."""
    widths: Float[np.ndarray, " n_atoms"]
    """r_loc of each ion (bohr)."""
    coefficients: Float[np.ndarray, "n_atoms 4"]
    """C_1 to C_4 of each ion (hartree), zero where the pseudopotential has fewer."""


def closed_shell_ions(frame: Frame, pseudopotential_name: str) -> Ions:
    """Ions of a configuration that all engines can treat.

    Raises
    ------
    LabelError
        If an element has no pseudopotential of this name, the number of valence electrons is odd,
        or the lattice vectors are left-handed.
    """
    if np.linalg.det(frame.cell) < 0:
        raise LabelError(
            "The cell is left-handed; the programs expect right-handed lattice vectors. "
            "Exchange two."
        )
    symbols = [chemical_symbols[z] for z in frame.atomic_numbers]
    by_symbol = {s: pseudopotential(pseudopotential_name, s) for s in set(symbols)}
    parameters = [by_symbol[s] for s in symbols]
    charges = np.array([float(sum(p[0])) for p in parameters])
    if charges.sum() % 2:
        raise LabelError(
            f"The cell has {charges.sum():.0f} valence electrons; expected an even number "
            "(closed shells). Change the composition."
        )
    return Ions(
        charges=charges,
        widths=np.array([p[1] for p in parameters]),
        coefficients=np.array([[*p[3], *[0.0] * (4 - len(p[3]))] for p in parameters]),
    )


def semilocal_parts(functional: str) -> list[tuple[str, float]]:
    """Parts of a functional by their libxc names, each with its factor.

    Raises
    ------
    LabelError
        If the functional is unknown, or not an LDA or GGA without exact exchange.
    """
    try:
        from pyscf.dft import libxc
    except ImportError as error:
        raise missing_extra("pyscf", "dft") from error

    try:
        exact_exchange, parts = libxc.parse_xc(functional)
    except (KeyError, ValueError) as error:
        raise LabelError(
            f"Found functional '{functional}', which libxc does not know; expected a name such as "
            "PBE. Change `label.functional`."
        ) from error
    names: dict[int, str] = {}
    for name, code in libxc.XC_CODES.items():
        if name.startswith(("LDA_", "GGA_")) and not isinstance(code, str):
            names.setdefault(int(code), name)  # the first one is libxc's own
    if any(exact_exchange) or any(int(code) not in names for code, _ in parts):
        raise LabelError(
            f"Functional '{functional}' is no LDA or GGA without exact exchange; expected one, "
            "such as PBE. Change `label.functional`."
        )
    return [(names[int(code)], float(factor)) for code, factor in parts]


def _block_of(path: Path, symbol: str, name: str) -> list[str] | None:
    """Lines of one pseudopotential in a file in CP2K's format."""
    lines: list[str] = []
    for line in path.read_text().splitlines():
        words = line.split()
        if lines:
            if not words or words[0].startswith("#") or words[0].isalpha():
                break
            lines.append(line.strip())
        elif len(words) > 1 and words[0] == symbol and name in words[1:]:
            lines.append(line.strip())
    return lines or None
