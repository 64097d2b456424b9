"""Valence charges of the atoms: what a net charge is counted from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols
from jaxtyping import Float

from zeroflux.errors import ConfigError
from zeroflux.frames import Frame
from zeroflux.volumetric.data import VolumetricData


@dataclass(frozen=True, eq=False)
class Valence:
    """Charges of the ions that the density neutralises, and who says so."""

    charges: Float[np.ndarray, " n_atoms"]
    """Nuclear charge less core electrons not in the density (e)."""
    source: str
    """Where they come from, for the output."""


def find_valence(
    data: VolumetricData,
    frame: Frame,
    *,
    n_electrons: float,
    given: Mapping[str, float] | None = None,
) -> Valence | None:
    """Valence charges, from the first source that has them and fits the number of electrons.

    Sources: the caller's; the charge column of a cube (CP2K writes valence charges there); a
    POTCAR beside a VASP file. The last two are used only if their sum is within 5 % or 2 electrons
    of the density's, so that a column of atomic numbers is not taken for valences.

    Raises
    ------
    ConfigError
        If the caller's valences lack an element.
    """
    symbols = [chemical_symbols[z] for z in frame.atomic_numbers]
    if given:
        missing = sorted(set(symbols) - set(given))
        if missing:
            raise ConfigError(
                f"Found valences for {', '.join(sorted(given))}; expected all elements, also "
                f"{', '.join(missing)}. Add --valence {missing[0]}=N."
            )
        return Valence(np.array([float(given[s]) for s in symbols]), "given")
    found: list[tuple[np.ndarray, str]] = []
    if data.effective_charges is not None and len(data.effective_charges) == len(symbols):
        found.append((data.effective_charges, "charge column of the cube file"))
    if data.source is not None:
        potcar = _potcar_valences(data.source.with_name("POTCAR"))
        if potcar and set(symbols) <= set(potcar):
            found.append((np.array([potcar[s] for s in symbols]), "POTCAR"))
    for charges, source in found:
        if abs(charges.sum() - n_electrons) <= max(2.0, 0.05 * n_electrons):
            return Valence(charges, source)
    return None


def _potcar_valences(path: Path) -> dict[str, float]:
    """ZVAL of each element of a POTCAR; empty if there is none."""
    if not path.is_file():
        return {}
    text = path.read_text(errors="replace")
    symbols = [re.split(r"[_./\d]", t)[0] for t in re.findall(r"TITEL\s*=\s*\S+\s+(\S+)", text)]
    valences = [float(v) for v in re.findall(r"ZVAL\s*=\s*([\d.]+)", text)]
    return dict(zip(symbols, valences, strict=False))
