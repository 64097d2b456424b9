"""Valence charges of the atoms: what a net charge is counted from."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols
from jaxtyping import Float

from zeroflux.errors import ConfigError, RepairWarning
from zeroflux.frames import Frame
from zeroflux.volumetric.data import VolumetricData
from zeroflux.volumetric.electrons import LARGEST_CHARGE, count_accuracy, has_cores
from zeroflux.volumetric.potcar import PotcarEntry, find_potcar, read_potcar
from zeroflux.volumetric.pseudopotentials import common_sums


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
    """Valence charges, from the first source that has them and agrees with the number of electrons.

    Sources: the caller's; the charge column of a cube (CP2K writes valence charges there, others
    the atomic numbers); a POTCAR beside a VASP file; the atomic numbers, for a density with cores.
    Except for the caller's, their sum must be the number of electrons to the accuracy of the file,
    or differ by the integer charge of a cell whose electrons no common pseudopotentials explain.
    A source that does not fit is named in a `RepairWarning`, and so is a net charge.

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
        charges = np.array([float(given[s]) for s in symbols])
        if not fits_count(charges, data, frame, n_electrons):
            _warn(data, charges, "given", n_electrons, "Charges are off by the difference.")
        return Valence(charges, "given")
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
        if fits_count(charges, data, frame, n_electrons):
            charge = round(float(charges.sum()) - n_electrons)
            if charge:
                _warn(data, charges, source, n_electrons, f"Taken for a net charge of {charge:+d}.")
            return Valence(np.array(charges, dtype=np.float64), source)
        _warn(data, charges, source, n_electrons, "Not used.")
    protons = frame.atomic_numbers.astype(np.float64)
    if abs(protons.sum() - n_electrons) <= count_accuracy(data) and _is_all_electron(data, frame):
        return Valence(protons, "atomic numbers")
    return None


def fits_count(
    charges: Float[np.ndarray, " n_atoms"], data: VolumetricData, frame: Frame, n_electrons: float
) -> bool:
    """Whether ions of these charges can belong to this number of electrons.

    Atomic numbers need a density with cores: the count of a valence density is that of a cation.
    """
    charge = float(charges.sum()) - n_electrons
    is_all = bool(np.allclose(charges, frame.atomic_numbers)) and has_cores(data, frame)
    # cusps are not exact on a grid, nor is a density that was written on every second point
    accuracy = 0.5 if is_all else max(count_accuracy(data), min(0.2, 5e-3 * n_electrons))
    if abs(charge - round(charge)) > accuracy:
        return False
    if round(charge) == 0:
        return True
    if bool(np.allclose(charges, frame.atomic_numbers)) and (frame.atomic_numbers > 2).any():
        return is_all and abs(charge) <= LARGEST_CHARGE
    neutral = common_sums(frame.atomic_numbers)[:-1]  # the last one is all electrons
    return abs(charge) <= LARGEST_CHARGE and round(n_electrons) not in neutral


def _is_all_electron(data: VolumetricData, frame: Frame) -> bool:
    return bool((frame.atomic_numbers <= 2).all()) or has_cores(data, frame)


def _warn(
    data: VolumetricData, charges: np.ndarray, source: str, n_electrons: float, what: str
) -> None:
    names = {"given": "the option --valence", "POTCAR": "the POTCAR"}
    warnings.warn(
        f"{data.place}: {names.get(source, 'the ' + source)} gives {charges.sum():g} in all, the "
        f"density integrates to {n_electrons:.6g} electrons; expected the same number. {what}",
        RepairWarning,
        stacklevel=3,
    )


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
