"""Site energies beyond noble gases that are known exactly: those of a tight-binding model."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from zeroflux.errors import LabelError, missing_extra

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger(__name__)

Substance = Literal["water", "salt", "silicon", "aluminium"]
SUBSTANCES: tuple[Substance, ...] = get_args(Substance)
JITTER = 0.12
"""Standard deviation of every coordinate about its ideal place (Å)."""
ELECTRONIC_TEMPERATURE = {"aluminium": 5000.0}
"""Where 300 K is too little for the self-consistent field of a metal at Γ (K)."""
STRAIN = 0.04
"""Largest relative change of the lattice constant."""


def tight_binding_suite(
    substances: tuple[Substance, ...] = SUBSTANCES,
    *,
    n_frames_each: int,
    seed: int,
    method: str = "GFN2-xTB",
) -> list[Atoms]:
    """Distorted periodic boxes with the energy and site energies that xTB gives them (eV).

    The site energies are part of the model (Mulliken shares of its band energy, repulsion and
    dispersion halved), so they are exact as a decomposition of its energy, though not basin
    energies. Of k-points there is Γ alone: the energies are those of this model of the box.

    Parameters
    ----------
    substances
        ``"water"`` (8 molecules), ``"salt"`` (NaCl), ``"silicon"``, ``"aluminium"`` (a metal).
    n_frames_each
        Configurations of each.
    seed
        Seed of strains, distortions and orientations; each substance has a stream of its own.
    method
        ``"GFN2-xTB"`` or ``"GFN1-xTB"``.

    Raises
    ------
    MissingExtraError
        If tblite is not installed.
    LabelError
        If the self-consistent fields of more boxes fail than converge. Single ones are drawn
        again, with a warning in the log.

    References
    ----------
    Bannwarth, Ehlert, Grimme, J. Chem. Theory Comput. 15, 1652 (2019),
    doi:10.1021/acs.jctc.8b01176.
    """
    from ase.calculators.singlepoint import SinglePointCalculator

    try:
        from tblite.ase import TBLite
    except ImportError as error:
        raise missing_extra("tblite", "xtb") from error
    images = []
    for substance in substances:
        rng = np.random.default_rng([seed, *substance.encode()])
        heat = ELECTRONIC_TEMPERATURE.get(substance, 300.0)
        failures: list[str] = []
        while (n_made := sum(a.info["system"] == substance for a in images)) < n_frames_each:
            atoms = distorted_box(substance, rng)
            atoms.calc = TBLite(method=method, verbosity=0, electronic_temperature=heat)
            try:
                energy, energies = atoms.get_potential_energy(), atoms.get_potential_energies()
            except Exception as error:  # whatever the library raises, as for no convergence
                failures.append(str(error))
                if len(failures) > 2 + n_frames_each:
                    raise LabelError(
                        f"{substance}: {method} gave no energy for {len(failures)} boxes and one "
                        f"for {n_made} ({error}); expected {n_frames_each}. Leave it out."
                    ) from error
                continue
            atoms.info.update(system=substance, method=method, sampling_seed=seed)
            atoms.info["electronic_temperature_kelvin"] = heat
            atoms.calc = SinglePointCalculator(atoms, energy=energy, energies=energies)
            images.append(atoms)
        if failures:
            logger.warning(
                "%s: %d boxes gave no energy (%s) and were drawn again.",
                substance,
                len(failures),
                failures[-1],
            )
    return images


def distorted_box(substance: Substance, rng: np.random.Generator) -> Atoms:
    """A periodic box of a substance, strained and with every atom moved (Å)."""
    from ase.build import bulk

    if substance == "water":
        atoms = _water(rng)
    else:
        kind, name, constant, repeats = {
            "salt": ("rocksalt", "NaCl", 5.64, (2, 1, 1)),
            "silicon": ("diamond", "Si", 5.43, (2, 1, 1)),
            "aluminium": ("fcc", "Al", 4.05, (2, 2, 1)),
        }[substance]
        atoms = bulk(name, kind, a=constant, cubic=True).repeat(repeats)
        atoms.positions += rng.normal(scale=JITTER, size=(len(atoms), 3))
    strain = 1.0 + rng.uniform(-STRAIN, STRAIN)
    if substance != "water":  # molecules are not to be strained
        atoms.set_cell(strain * atoms.cell, scale_atoms=True)
    return atoms


def _water(rng: np.random.Generator) -> Atoms:
    """Eight molecules on a simple cubic lattice at ambient density, turned at random."""
    from ase import Atoms
    from ase.build import molecule
    from scipy.spatial.transform import Rotation

    spacing = 3.104 * (1.0 + rng.uniform(0.0, 2.0 * STRAIN))  # 29.9 Å³ a molecule, or less dense
    box = Atoms(cell=3 * [2 * spacing], pbc=True)
    for corner in np.ndindex(2, 2, 2):
        one = molecule("H2O")
        turn = Rotation.random(rng=rng)
        one.positions = turn.apply(one.positions - one.get_center_of_mass())
        one.positions += np.array(corner) * spacing + rng.normal(scale=0.03, size=(3, 3))
        box += one
    return box
