"""Stockholder shares, intrinsic atomic orbitals and ions' energies, each by a second route."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.labelling.electrostatics import coulomb_potential, gaussian_charges, ion_energies
from zeroflux.labelling.orbital_partition import intrinsic_atomic_orbitals, orbital_energies
from zeroflux.labelling.stockholder import FreeAtom, stockholder_integrals

SHEARED = np.array([[9.0, 0.0, 0.0], [1.5, 8.0, 0.0], [-0.7, 1.1, 7.0]])
RADII = np.linspace(0.0, 12.0, 2401)


def gaussian_atom(n_electrons: float, exponent: float) -> FreeAtom:
    density = n_electrons * (exponent / np.pi) ** 1.5 * np.exp(-exponent * RADII**2)
    return FreeAtom(radii=RADII[density > 1e-14], density=density[density > 1e-14])


@pytest.fixture
def two_atoms() -> Frame:
    return Frame(
        atomic_numbers=np.array([18, 36]),
        positions=np.array([[0.3, 0.2, 0.1], [4.0, 3.5, 3.0]]),
        cell=SHEARED,
    )


@pytest.mark.parametrize("cell", [SHEARED, np.diag([9.0, 8.0, 7.0])])
@pytest.mark.parametrize("shape", [(6, 7, 8), (9, 5, 6)])
def test_points_near_are_all_images_within_the_sphere(cell, shape):
    grid = UniformGrid(cell=cell, shape=shape, origin=np.array([0.4, -0.3, 0.2]))
    position, radius = np.array([8.5, 0.1, 6.9]), 6.0
    indices, distances = grid.points_near(position, radius)
    points = grid.points().reshape(-1, 3)
    images = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3, indexing="ij"), -1).reshape(-1, 3) @ cell
    every = np.linalg.norm(points[:, None] + images - position, axis=2)
    counts = (every <= radius).sum(axis=1)
    assert counts.max() > 1
    np.testing.assert_array_equal(np.bincount(indices, minlength=grid.n_points), counts)
    np.testing.assert_allclose(np.sort(distances), np.sort(every[every <= radius]), atol=1e-12)


def test_stockholder_shares_of_the_promolecule_are_the_free_atoms(two_atoms):
    grid = UniformGrid(cell=SHEARED, shape=(48, 44, 40))
    atoms = {18: gaussian_atom(7.0, 0.9), 36: gaussian_atom(8.5, 0.6)}
    promolecule = np.zeros(grid.n_points)
    for z, position in zip(two_atoms.atomic_numbers, two_atoms.positions, strict=True):
        indices, distances = grid.points_near(position, atoms[z].radii[-1])
        np.add.at(promolecule, indices, atoms[z].at(distances))
    found = stockholder_integrals(promolecule.reshape(grid.shape), grid, two_atoms, atoms)
    np.testing.assert_allclose(found, [7.0, 8.5], rtol=1e-3)
    swapped = stockholder_integrals(
        promolecule.reshape(grid.shape), grid, two_atoms, {18: atoms[36], 36: atoms[18]}
    )
    assert abs(swapped - [7.0, 8.5]).max() > 0.05


def test_stockholder_integrals_sum_to_that_of_the_field(two_atoms):
    grid = UniformGrid(cell=SHEARED, shape=(20, 21, 22))
    field = np.random.default_rng(0).normal(size=grid.shape)
    atoms = {18: gaussian_atom(8.0, 0.3), 36: gaussian_atom(8.0, 0.2)}
    found = stockholder_integrals(field, grid, two_atoms, atoms)
    assert found.sum() == pytest.approx(field.sum() * grid.voxel_volume, abs=1e-10)


@pytest.mark.parametrize("shape", [(30, 31, 32), (31, 30, 33)])
def test_ion_energies_are_the_integrals_of_each_gaussian(two_atoms, shape):
    grid = UniformGrid(cell=SHEARED, shape=shape)
    charges, widths = np.array([8.0, 3.0]), np.array([0.5, 0.6])
    noise = np.random.default_rng(1).normal(size=shape)
    potential = coulomb_potential(noise - noise.mean(), grid)
    found = ion_energies(potential, two_atoms, grid, charges=charges, widths=widths)
    for k in range(2):
        alone = Frame(
            atomic_numbers=two_atoms.atomic_numbers[[k]],
            positions=two_atoms.positions[[k]],
            cell=SHEARED,
        )
        density = gaussian_charges(alone, grid, charges=charges[[k]], widths=widths[[k]])
        assert found[k] == pytest.approx(0.5 * (density * potential).sum() * grid.voxel_volume)


@pytest.fixture
def basis() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Overlap of 12 functions, 4 occupied orbitals and 6 free atoms' orbitals in them."""
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(12, 30))
    overlap = vectors @ vectors.T / 30
    occupied, minimal = rng.normal(size=(12, 4)), rng.normal(size=(12, 6))
    occupied = occupied @ np.linalg.inv(sqrtm(occupied.T @ overlap @ occupied).real)
    return overlap, occupied, minimal


def test_intrinsic_atomic_orbitals_are_those_of_the_definition(basis):
    overlap, occupied, minimal = basis
    found = intrinsic_atomic_orbitals(overlap, occupied, minimal)
    # Projectors written out, each as (vectors)(vectors)ᵀ S.
    onto_minimal = minimal @ np.linalg.inv(minimal.T @ overlap @ minimal) @ minimal.T @ overlap
    depolarised = onto_minimal @ occupied
    tilde = depolarised @ np.linalg.inv(depolarised.T @ overlap @ depolarised) @ depolarised.T
    o, o_tilde, one = occupied @ occupied.T @ overlap, tilde @ overlap, np.eye(12)
    expected = (o @ o_tilde + (one - o) @ (one - o_tilde)) @ minimal
    expected = expected @ np.linalg.inv(sqrtm(expected.T @ overlap @ expected).real)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_allclose(found.T @ overlap @ found, np.eye(6), atol=1e-10)
    # They span the occupied orbitals, which the free atoms' own do not.
    np.testing.assert_allclose(found @ (found.T @ overlap @ occupied), occupied, atol=1e-9)
    assert abs(onto_minimal @ occupied - occupied).max() > 0.1


def test_energies_by_orbitals_sum_to_the_trace(basis):
    overlap, occupied, minimal = basis
    operator = np.random.default_rng(3).normal(size=(12, 12))
    operator = operator + operator.T
    density_matrix = 2.0 * occupied @ occupied.T
    orbitals = intrinsic_atomic_orbitals(overlap, occupied, minimal)
    owners = [0, 0, 1, 1, 1, 2]
    found = orbital_energies(
        orbitals,
        owners=owners,
        overlap=overlap,
        density_matrix=density_matrix,
        operator=operator,
        n_atoms=3,
    )
    assert found.sum() == pytest.approx(np.trace(density_matrix @ operator))
    for atom in range(3):
        own = orbitals[:, np.equal(owners, atom)]
        projected = own @ own.T @ overlap @ density_matrix
        assert found[atom] == pytest.approx(np.trace(0.5 * (projected + projected.T) @ operator))
