"""Messages between neighbours: as a matrix product in small boxes, by the list in large ones."""

import dataclasses

import numpy as np
import pytest

from zeroflux.calculator import Calculator
from zeroflux.frames import Frame
from zeroflux.potentials import messages
from zeroflux.potentials.energy import Model, prepared_inputs
from zeroflux.potentials.painn import PaiNN
from zeroflux.potentials.schnet import SchNet

CUTOFF = 8.0
DEEP = [
    SchNet(CUTOFF, 2, width=4, n_interactions=2, n_radial=5, inner=3.0),
    PaiNN(CUTOFF, 2, width=4, n_layers=2, n_radial=5, inner=3.0),
]


def mixture(seed: int = 0) -> Frame:
    """Eight atoms near a lattice in a sheared cell narrower than two cutoffs."""
    rng = np.random.default_rng(seed)
    cell = np.array([[9.0, 0.0, 0.0], [1.5, 8.5, 0.0], [-1.0, 0.7, 10.0]])
    points = np.stack(np.meshgrid(*[[0.0, 0.5]] * 3), axis=-1).reshape(-1, 3)
    positions = points @ cell + rng.uniform(-0.4, 0.4, (8, 3))
    return Frame(rng.choice([18, 36], 8), positions, cell)


def model_of(architecture) -> Model:
    import jax

    frames = [mixture(k) for k in range(4)]
    with jax.enable_x64(True):
        inputs = prepared_inputs(architecture, frames, (18, 36))
        statistics = jax.tree.map(np.asarray, architecture.statistics(inputs))
    params = jax.tree.map(lambda leaf: np.asarray(leaf, float), architecture.init(1))
    return Model(architecture, (18, 36), params, statistics, np.zeros(2), 1.0)


def repeated(frame: Frame, n: int) -> Frame:
    shifts = np.stack(np.meshgrid(*[np.arange(n)] * 3), axis=-1).reshape(-1, 3) @ frame.cell
    positions = (frame.positions[None] + shifts[:, None]).reshape(-1, 3)
    return Frame(np.tile(frame.atomic_numbers, n**3), positions, n * frame.cell)


@pytest.mark.parametrize("architecture", DEEP, ids=lambda a: a.name)
def test_matrix_products_and_neighbour_lists_give_the_same_energies(architecture):
    """A cell of 8 atoms goes by the matrix, its supercell of 216 by the list."""
    model, frame = model_of(architecture), mixture()
    large = repeated(frame, 3)
    assert frame.n_atoms <= messages.LARGEST_DENSE < large.n_atoms
    (small_energies,), (large_energies,) = (
        model.local_energies([frame]),
        model.local_energies([large]),
    )
    # double precision, sums of order one over some 50 neighbours
    np.testing.assert_allclose(large_energies, np.tile(small_energies, 27), atol=1e-11)
    assert np.ptp(small_energies) > 1e-3  # control: there is something to compare


@pytest.mark.parametrize("architecture", DEEP, ids=lambda a: a.name)
def test_deeper_messages_matter_and_reach_beyond_the_cutoff(architecture):
    """Moving an atom changes the energy of one that is more than a cutoff away."""
    model, frame = model_of(architecture), repeated(mixture(), 3)
    moved = frame.positions.copy()
    moved[0] += 0.3
    before, after = model.local_energies([frame, dataclasses.replace(frame, positions=moved)])
    difference = frame.positions - frame.positions[0]
    fractional = difference @ np.linalg.inv(frame.cell)
    distance = np.linalg.norm((fractional - np.round(fractional)) @ frame.cell, axis=1)
    beyond = (distance > CUTOFF + 1.0) & (distance < 1.8 * CUTOFF)
    assert np.abs(after - before)[beyond].max() > 1e-9
    assert np.abs(after - before)[distance > 2 * CUTOFF + 1.0].max(initial=0.0) < 1e-12


@pytest.mark.parametrize("architecture", DEEP, ids=lambda a: a.name)
def test_forces_by_the_list_are_derivatives_of_the_energy(architecture):
    atoms = repeated(mixture(), 2).to_ase()
    atoms = atoms.repeat((2, 1, 1))  # 128 atoms: beyond the dense form
    atoms.calc = Calculator(model_of(architecture), skin=0.3)
    forces = atoms.get_forces()
    direction = np.random.default_rng(0).normal(size=forces.shape)
    start, energies = atoms.positions.copy(), []
    h = 1e-4  # ångström: truncation ~h² and rounding ~1e-14 E/h are below 1e-6 of the derivative
    for step in (h, -h):
        atoms.positions = start + step * direction
        energies.append(atoms.get_potential_energy())
    slope = (energies[0] - energies[1]) / (2 * h)
    assert slope == pytest.approx(-(forces * direction).sum(), rel=1e-5, abs=1e-6)
    assert abs(slope) > 1e-2  # control
