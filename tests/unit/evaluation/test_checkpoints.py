"""Structures in which symmetry fixes the local energies."""

import numpy as np
import pytest
from ase.build import bulk

from zeroflux.evaluation import checkpoint, has_equal_atoms
from zeroflux.frames import Frame
from zeroflux.units import ANGSTROM

REACH = 7.0 * ANGSTROM


def dimer(first: int, second: int) -> Frame:
    positions = np.array([[0.0, 0.0, 0.0], [3.8, 0.0, 0.0]]) * ANGSTROM
    return Frame(np.array([first, second]), positions, 12.0 * ANGSTROM * np.eye(3))


@pytest.mark.parametrize("structure", ["fcc", "hcp"])
def test_perfect_crystals_have_equal_atoms_and_displaced_ones_have_not(structure):
    atoms = bulk("Ar", structure, a=5.31 if structure == "fcc" else 3.755).repeat(3)
    assert has_equal_atoms(Frame.from_ase(atoms), reach=REACH)
    atoms.rattle(0.02, seed=0)
    assert not has_equal_atoms(Frame.from_ase(atoms), reach=REACH)


def test_a_dimer_has_equal_atoms_if_they_are_one_element():
    assert has_equal_atoms(dimer(18, 18), reach=REACH)
    assert not has_equal_atoms(dimer(18, 36), reach=REACH)


def test_a_lone_atom_counts():
    frame = Frame(np.array([18]), np.zeros((1, 3)), 12.0 * ANGSTROM * np.eye(3))
    assert has_equal_atoms(frame, reach=REACH)


def test_the_error_is_that_of_the_mean_and_asymmetry_is_apart():
    found = checkpoint(
        structure="Ar2", model="bpnn", total_energy=-42.0, local_energy=np.array([-20.9, -20.9])
    )
    assert found.exact == -21.0
    assert found.error == pytest.approx(0.1)
    assert found.asymmetry == 0.0
    # control: a model that breaks the symmetry is seen, though its total is right
    broken = checkpoint(
        structure="Ar2", model="bpnn", total_energy=-42.0, local_energy=np.array([-20.5, -21.5])
    )
    assert broken.error == pytest.approx(0.0)
    assert broken.asymmetry == pytest.approx(0.5)
