"""Labels do not depend on where, how turned, or in which order a configuration is written."""

import numpy as np
import pytest

from zeroflux.frames import Frame
from zeroflux.labelling.label import label_frame
from zeroflux.labelling.pyscf import PyscfEngine
from zeroflux.sampling import crystal
from zeroflux.units import ANGSTROM, MILLIELECTRONVOLT

# Krypton's basis is smooth: its egg-box error is 0.9 meV at 60 Ha, 0.04 at 120, 0.008 at 220.
CUTOFF = 120.0
EGG_BOX = 0.1 * MILLIELECTRONVOLT


@pytest.fixture(scope="module")
def engine() -> PyscfEngine:
    tight = PyscfEngine(density_cutoff=CUTOFF, energy_tolerance=1e-8, gradient_tolerance=1e-5)
    return tight.prepared(["Kr"])


@pytest.fixture(scope="module")
def frame() -> Frame:
    rng = np.random.default_rng(5)
    perfect = crystal("Kr", "fcc", nearest_distance=4.1 * ANGSTROM, repeat=(1, 1, 1))
    moved = perfect.positions + rng.normal(scale=0.3, size=perfect.positions.shape)
    return Frame(perfect.atomic_numbers, moved, perfect.cell)


@pytest.fixture(scope="module")
def label(frame, engine):
    return label_frame(frame, engine=engine)


def energies(frame: Frame, engine: PyscfEngine) -> np.ndarray:
    return label_frame(frame, engine=engine).basin_energy


def test_translation_by_grid_steps_changes_nothing(frame, engine, label):
    mesh = engine._cell(frame).mesh
    shift = np.array([3, 5, 1]) / mesh @ frame.cell
    moved = Frame(frame.atomic_numbers, frame.positions + shift, frame.cell)
    # The SCF is converged to 1e-8 Ha; energies of atoms follow the density to first order.
    np.testing.assert_allclose(energies(moved, engine), label.basin_energy, atol=1e-6)


def test_any_translation_changes_less_than_the_egg_box(frame, engine, label):
    shift = np.array([0.137, 0.071, 0.311])
    moved = Frame(frame.atomic_numbers, frame.positions + shift, frame.cell)
    difference = energies(moved, engine) - label.basin_energy
    assert np.abs(difference).max() < EGG_BOX


def test_a_rotation_of_the_cubic_cell_changes_nothing(frame, engine, label):
    turned = Frame(frame.atomic_numbers, np.roll(frame.positions, 1, axis=1), frame.cell)
    np.testing.assert_allclose(energies(turned, engine), label.basin_energy, atol=1e-6)


def test_permutation_of_atoms_permutes_their_energies(frame, engine, label):
    order = np.array([2, 0, 3, 1])
    permuted = Frame(frame.atomic_numbers[order], frame.positions[order], frame.cell)
    np.testing.assert_allclose(energies(permuted, engine), label.basin_energy[order], atol=1e-6)


def test_control_moving_one_atom_changes_the_energies(frame, engine, label):
    positions = frame.positions.copy()
    positions[0, 0] += 0.3
    moved = Frame(frame.atomic_numbers, positions, frame.cell)
    difference = energies(moved, engine) - label.basin_energy
    assert np.abs(difference).max() > 1.0 * MILLIELECTRONVOLT
    assert label.basin_energy.std() > 5 * EGG_BOX


def test_atoms_of_a_perfect_crystal_share_its_energy_equally(engine):
    perfect = crystal("Kr", "fcc", nearest_distance=4.1 * ANGSTROM, repeat=(1, 1, 1))
    found = label_frame(perfect, engine=engine)
    # One atom lies on a grid point, three between: the odd mesh breaks the symmetry.
    np.testing.assert_allclose(found.basin_energy, found.total_energy / 4, atol=EGG_BOX)
    np.testing.assert_allclose(found.terms.charge, 0.0, atol=1e-5)


@pytest.mark.filterwarnings("ignore::zeroflux.errors.RepairWarning")
def test_atoms_of_a_dimer_share_its_energy_equally(engine):
    """In the empty part of the box the density is noise, whose maxima go to the nearest atom."""
    length = 8.5 * ANGSTROM
    along = 4.0 * ANGSTROM * np.array([1.0, 0.0, 0.0])
    centre = np.full(3, 0.47 * length)
    positions = np.array([centre - 0.5 * along, centre + 0.5 * along])
    dimer = Frame(np.array([36, 36]), positions, np.eye(3) * length)
    found = label_frame(dimer, engine=engine, dispersion="none")
    half = 0.5 * found.total_energy
    np.testing.assert_allclose(found.basin_energy, half, atol=EGG_BOX)
    alone = engine.isolated_atom_energy("Kr")
    assert EGG_BOX < abs(half - alone) < 20 * MILLIELECTRONVOLT
