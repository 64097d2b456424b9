"""Four ways to count the electrostatic energy of an atom, on charges whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.labelling.electrostatics import coulomb_potential, gaussian_charges
from zeroflux.labelling.energy_density import EnergyDensities
from zeroflux.labelling.gauge import charge_density, electrostatic_gauges, field_energy_density
from zeroflux.partition import fourier_laplacian

ION, CLOUD = 0.6, 1.1  # widths of ions and electron clouds (bohr)
DISTANCE = 7.3  # bohr; the clouds hardly touch, exp(-7.3²/(4·1.1²)) is 1e-5
# In the empty part of the box the density is rounding, with maxima that go to the nearest atom.
pytestmark = pytest.mark.filterwarnings("ignore::zeroflux.errors.RepairWarning")
GAUGES = ("half_density", "half_neutral", "field_density", "field_neutral")


def two_atoms(transferred: float) -> EnergyDensities:
    """Ions of charge 4 and 6 in Gaussian clouds, of which some charge has passed to the second."""
    cell = np.diag([18.0, 12.0, 12.0])
    grid = UniformGrid(cell, (72, 48, 48))
    middle = np.array([9.1, 6.05, 5.9])
    along = np.array([0.5 * DISTANCE, 0.0, 0.0])
    frame = Frame(np.array([18, 36]), np.array([middle - along, middle + along]), cell)
    charges = np.array([4.0, 6.0])
    ions = gaussian_charges(frame, grid, charges=charges, widths=np.full(2, ION))
    electrons = charges + np.array([-transferred, transferred])
    density = gaussian_charges(frame, grid, charges=electrons, widths=np.full(2, CLOUD))
    density = np.maximum(density, 0.0)  # rounding in the empty part
    charge = ions - density
    return EnergyDensities(
        frame=frame,
        grid=grid,
        density=density,
        reference=density + ions,
        laplacian=fourier_laplacian(density, grid),
        ion_charges=charges,
        fields={"electrostatic": 0.5 * charge * coulomb_potential(charge, grid)},
        atomic={},
        total_energy=0.0,
        is_converged=True,
    )


def own_energy(charge: float) -> float:
    """½∫qV of an ion in a neutral cloud: Coulomb energies of concentric Gaussians."""

    def pair(a, b):  # ∫∫ g_a g_b / r
        return np.sqrt(2.0 / np.pi) / np.hypot(a, b)

    return 0.5 * charge**2 * (pair(ION, ION) - 2 * pair(ION, CLOUD) + pair(CLOUD, CLOUD))


@pytest.fixture(scope="module")
def neutral():
    return electrostatic_gauges(two_atoms(0.0))


@pytest.fixture(scope="module")
def charged():
    return electrostatic_gauges(two_atoms(0.1))


@pytest.mark.parametrize("gauge", GAUGES)
def test_neutral_atoms_have_their_own_energy_in_every_gauge(neutral, gauge):
    """What reaches over the dividing plane is of the order of the clouds' overlap, 1e-5."""
    expected = np.array([own_energy(4.0), own_energy(6.0)])
    np.testing.assert_allclose(getattr(neutral, gauge), expected, atol=1e-4)
    assert expected.min() > 1.0
    np.testing.assert_allclose(neutral.neutral_charge, 0.0, atol=1e-4)


@pytest.mark.parametrize("gauge", GAUGES[1:])
def test_all_gauges_have_the_same_total(charged, gauge):
    total = charged.half_density.sum()
    assert abs(getattr(charged, gauge).sum() - total) < 1e-9 * abs(total)


def test_the_basins_hold_the_charge_and_the_neutral_volumes_none(charged):
    np.testing.assert_allclose(charged.basin_charge, [0.1, -0.1], atol=5e-4)
    # The surface of a neutral volume passes through the cloud of the anion; on a grid of 0.25 bohr
    # the weight method places it to 2 % of what it has to tell apart.
    np.testing.assert_allclose(charged.neutral_charge, 0.0, atol=0.05 * 0.1)


def test_over_neutral_volumes_both_densities_agree_and_over_basins_they_do_not(charged):
    """No flux of ∇V leaves a neutral volume; through the plane between charged atoms it does."""
    agree = np.abs(charged.half_neutral - charged.field_neutral).max()
    differ = np.abs(charged.half_density - charged.field_density).max()
    # The electric field passes the plane: 0.1² over the distance is the scale of the surface term.
    assert differ > 0.1 * 0.1**2 / DISTANCE
    assert agree < 0.1 * differ


def test_a_constant_potential_moves_energies_of_basins_but_not_of_neutral_volumes(charged):
    """Shifted by V₀, ½qV gives V₀ q_A / 2 more: nothing where there is no charge."""
    shift = 0.2
    moved = 0.5 * shift * charged.basin_charge
    kept = 0.5 * shift * charged.neutral_charge
    assert np.abs(kept).max() < 0.05 * np.abs(moved).max()


def test_the_surface_term_is_the_difference_of_the_two_densities():
    """½qV = |∇V|²/8π − ∇·(V∇V)/8π at every point, and ∇·(V∇V) = ½∇²V²."""
    densities = two_atoms(0.1)
    charge = charge_density(densities)
    potential = coulomb_potential(charge, densities.grid)
    half = densities.fields["electrostatic"]
    # The average of the charge, which V(0) = 0 leaves out, is rounding in a neutral cell.
    field = field_energy_density(potential, densities.grid)
    surface = fourier_laplacian(potential**2, densities.grid) / (16.0 * np.pi)
    np.testing.assert_allclose(half, field - surface, atol=1e-5 * np.abs(half).max())
    assert np.abs(surface).max() > 0.1 * np.abs(half).max()


def test_atomic_parts_are_counted_once_in_every_gauge(neutral):
    densities = replace(two_atoms(0.0), atomic={"electrostatic": np.array([-1.0, -2.0])})
    found = electrostatic_gauges(densities)
    for gauge in GAUGES:
        moved = getattr(found, gauge) - getattr(neutral, gauge)
        np.testing.assert_allclose(moved, [-1.0, -2.0], atol=1e-12)
