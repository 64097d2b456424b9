"""Kinetic energy densities by separable orbitals: those of the other way, in any basis."""

import numpy as np
import pytest

from zeroflux.frames import Frame
from zeroflux.labelling.kinetic import kinetic_energy_density
from zeroflux.labelling.pyscf import PyscfEngine
from zeroflux.labelling.separable import is_rectangular, orbital_kinetic_energy_density

MESH = (60, 50, 54)


@pytest.fixture(scope="module", params=["5S5P4D1F-GTH-PBE-q8", "TZV2P-MOLOPT-PBE-GTH-q8"])
def engine(request) -> PyscfEngine:
    return PyscfEngine(basis=request.param, density_cutoff=90.0)


@pytest.fixture(scope="module")
def cell(engine):
    positions = np.array([[0.3, 0.4, 0.5], [5.9, 0.2, 8.7]])
    return engine._cell(Frame(np.array([36, 36]), positions, np.diag([10.0, 8.0, 9.0])))


@pytest.fixture(scope="module")
def orbitals(cell) -> np.ndarray:
    """Smooth ones, which the grid resolves: of the outermost functions of both atoms."""
    found = np.random.default_rng(3).normal(size=(cell.nao, 5))
    diffuse = [cell.bas_exp(shell).min() < 0.4 for shell in range(cell.nbas)]
    sizes = np.diff(cell.ao_loc_nr())
    return found * np.repeat(diffuse, sizes)[:, None]


def test_both_ways_give_the_same_density(engine, cell, orbitals):
    found = orbital_kinetic_energy_density(cell, orbitals, mesh=MESH)
    other = kinetic_energy_density(
        cell, 2.0 * orbitals @ orbitals.T, mesh=MESH, integrator=engine._integrator
    )
    # The multigrid of this coarse grid is what differs; at the cutoff of labels it is 1e-7.
    assert np.abs(found - other).max() < 2e-4 * found.max()
    # Control: other orbitals have another density.
    moved = orbital_kinetic_energy_density(cell, np.roll(orbitals, 1, axis=0), mesh=MESH)
    assert np.abs(moved - other).max() > 0.1 * found.max()


def test_it_integrates_to_the_exact_kinetic_energy(cell, orbitals):
    exact = 2.0 * np.einsum("mi,mn,ni", orbitals, cell.pbc_intor("int1e_kin"), orbitals)
    tau = orbital_kinetic_energy_density(cell, orbitals, mesh=MESH)
    np.testing.assert_allclose(tau.mean() * cell.vol, exact, rtol=1e-6)


def test_only_cells_along_the_axes_are_rectangular():
    assert is_rectangular(np.diag([3.0, 4.0, 5.0]))
    assert not is_rectangular(np.array([[3.0, 0.0, 0.0], [0.1, 4.0, 0.0], [0.0, 0.0, 5.0]]))
