"""The ASE face of the pair potential, against ASE's own Lennard-Jones."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones as AseLennardJones

from zeroflux.errors import StructureError
from zeroflux.sampling import LennardJones, PairCalculator, PairPotential
from zeroflux.units import ANGSTROM, ELECTRONVOLT

EPSILON, SIGMA, CUTOFF = 0.0104, 3.4, 9.0  # eV, Å, Å


def lennard_jones() -> PairCalculator:
    curve = LennardJones(epsilon=EPSILON * ELECTRONVOLT, sigma=SIGMA * ANGSTROM)
    return PairCalculator(PairPotential({("Ar", "Ar"): curve}), CUTOFF * ANGSTROM)


def rattled(cluster: bool = False) -> Atoms:
    atoms = bulk("Ar", "fcc", a=5.4, cubic=True) * (2, 1, 1)
    atoms.positions += np.random.default_rng(0).normal(scale=0.1, size=atoms.positions.shape)
    if cluster:
        atoms.pbc = False
    return atoms


@pytest.mark.parametrize("cluster", [False, True])
def test_forces_and_stress_agree_with_ase(cluster):
    ours, theirs = rattled(cluster), rattled(cluster)
    ours.calc = lennard_jones()
    theirs.calc = AseLennardJones(epsilon=EPSILON, sigma=SIGMA, rc=CUTOFF, smooth=False)
    np.testing.assert_allclose(ours.get_forces(), theirs.get_forces(), atol=1e-10)
    if not cluster:
        np.testing.assert_allclose(ours.get_stress(), theirs.get_stress(), atol=1e-12)


def test_energies_agree_with_ase_up_to_its_shift():
    """ASE shifts each pair by V(r_c); the shift is half-split like the rest."""
    ours, theirs = rattled(), rattled()
    ours.calc = lennard_jones()
    theirs.calc = AseLennardJones(epsilon=EPSILON, sigma=SIGMA, rc=CUTOFF, smooth=False)
    x6 = (SIGMA / CUTOFF) ** 6
    shift = 4 * EPSILON * (x6**2 - x6)
    expected = theirs.get_potential_energies()
    neighbours = (ours.get_potential_energies() - expected) / (0.5 * shift)
    # What is left must be a whole number of neighbours, near 4/3 π r_c³ ρ = 78.
    np.testing.assert_allclose(neighbours, np.round(neighbours), atol=1e-6)
    assert np.all(np.abs(neighbours - 78) < 15)
    assert ours.get_potential_energy() == pytest.approx(ours.get_potential_energies().sum())


def test_a_slab_is_refused():
    atoms = rattled()
    atoms.pbc = (True, True, False)
    atoms.calc = lennard_jones()
    with pytest.raises(StructureError, match="all directions or none"):
        atoms.get_potential_energy()
