"""Valence charges of the atoms: what a net charge is counted from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols
from jaxtyping import Float

from zeroflux.errors import ConfigError
from zeroflux.frames import Frame
from zeroflux.volumetric.data import VolumetricData
from zeroflux.volumetric.potcar import PotcarEntry, find_potcar, read_potcar


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
        is_binary = data.source is not None and not data.first_value_line
        place = "effective_charges of the file" if is_binary else "charge column of the cube file"
        found.append((data.effective_charges, place))
    if data.source is not None:
        potcar = find_potcar(data.source)
        charges = None if potcar is None else potcar_charges(data, frame, read_potcar(potcar))
        if potcar is not None and charges is not None:
            found.append((charges, potcar.name))
    for charges, source in found:
        if abs(charges.sum() - n_electrons) <= max(2.0, 0.05 * n_electrons):
            return Valence(charges, source)
    return None


def potcar_charges(
    data: VolumetricData, frame: Frame, entries: Sequence[PotcarEntry]
) -> Float[np.ndarray, " n_atoms"] | None:
    """Charge of each atom from the POTCAR's entries, or None if they are not those of the atoms.

    Entries belong to the file's groups of atoms, in order: two groups of one element may have
    different pseudopotentials. Without groups (another format, atoms in another order), elements
    decide, if each has one charge only.
    """
    symbols = [chemical_symbols[z] for z in frame.atomic_numbers]
    if any(entry.valence is None for entry in entries):
        return None
    sizes = data.group_sizes
    if sizes is not None and len(sizes) == len(entries) and sum(sizes) == len(symbols):
        expanded = [entry for entry, n in zip(entries, sizes, strict=True) for _ in range(n)]
        if [entry.symbol for entry in expanded] == symbols:
            return np.array([entry.valence for entry in expanded])
    charges = {entry.symbol: entry.valence for entry in entries}
    is_unique = all(charges[entry.symbol] == entry.valence for entry in entries)
    if not is_unique or not set(symbols) <= set(charges):
        return None
    return np.array([charges[s] for s in symbols])
