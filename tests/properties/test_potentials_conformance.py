"""What every architecture of the registry has to satisfy; a new one inherits all of it."""

import dataclasses
import itertools
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from zeroflux.calculator import Calculator
from zeroflux.frames import Frame
from zeroflux.potentials.energy import Model, composition, predictions, prepared_inputs
from zeroflux.potentials.layers import n_parameters
from zeroflux.potentials.registry import ARCHITECTURES, sized_architecture
from zeroflux.training.checkpoints import load_model, save_model

CUTOFF = 9.0  # bohr; the cells below are 8 to 10 wide, so that own images are neighbours
SPECIES = (18, 36)
SMALL = {"width": 4, "n_radial": 6, "n_angular": 3, "inner": 3.0}

DEEPER: dict[str, tuple[str, dict[str, int]]] = {
    "painn of two layers": ("painn", {"n_layers": 2}),
    "schnet of three interactions": ("schnet", {"n_interactions": 3}),
}
every_architecture = pytest.mark.parametrize("name", list(ARCHITECTURES))
every_form = pytest.mark.parametrize("name", [*ARCHITECTURES, *DEEPER])
few_examples = settings(max_examples=3, deadline=None, derandomize=True)
seeds = st.integers(0, 2**31)


def crowded_frame(seed: int, n_atoms: int = 6) -> Frame:
    """Atoms near the points of a 2 x 2 x 2 lattice in a sheared cell, about 4 bohr apart."""
    rng = np.random.default_rng(seed)
    cell = np.array([[9.0, 0.0, 0.0], [1.5, 8.0, 0.0], [-1.0, 0.7, 10.0]])
    points = np.array(list(itertools.product((0.0, 0.5), repeat=3)))[rng.permutation(8)[:n_atoms]]
    positions = points @ cell + rng.uniform(-0.5, 0.5, (n_atoms, 3))
    numbers = np.array([18, 36, 18, 18, 36, 36])[:n_atoms]
    return Frame(numbers, positions, cell)


@cache
def random_model(name: str) -> Model:
    """A model with random parameters; local energies spread over about a hartree."""
    name, depth = DEEPER.get(name, (name, {}))
    cls = ARCHITECTURES[name]
    known = {field.name for field in dataclasses.fields(cls)}
    small = {k: v for k, v in SMALL.items() if k in known}
    architecture = cls(cutoff=CUTOFF, n_species=2, **small, **depth)
    frames = [crowded_frame(seed) for seed in range(4)]
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        inputs = jax.tree.map(jnp.asarray, prepared_inputs(architecture, frames, SPECIES))
        statistics = jax.tree.map(np.asarray, architecture.statistics(inputs))
        params = jax.tree.map(  # what starts at zero (biases, linear weights) is filled in
            lambda leaf: np.asarray(leaf, float) if leaf.any() else rng.normal(0, 0.3, leaf.shape),
            architecture.init(jax.random.key(0)),
        )
    return Model(architecture, SPECIES, params, statistics, np.array([-1.0, 2.0]), 0.5)


def local_energies(model: Model, *frames: Frame) -> list[np.ndarray]:
    return predictions([model], frames)[0]


# Arithmetic is in double precision and sums have some 100 terms of order one: errors of
# rounding are below 1e-12, and 1e-10 leaves room for the amplification in deep networks.
ROUNDING = 1e-10


@every_form
@few_examples
@given(seed=seeds)
def test_rotating_the_system_leaves_local_energies_alone(name, seed):
    frame = crowded_frame(seed)
    turn = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    rotated = dataclasses.replace(frame, positions=frame.positions @ turn, cell=frame.cell @ turn)
    before, after = local_energies(random_model(name), frame, rotated)
    np.testing.assert_allclose(after, before, atol=ROUNDING)


@every_architecture
def test_moving_an_atom_changes_local_energies(name):
    """Control of the invariances: a model that sees nothing would pass them all."""
    frame = crowded_frame(0)
    moved = frame.positions.copy()
    moved[0] += 0.05
    before, after = local_energies(
        random_model(name), frame, dataclasses.replace(frame, positions=moved)
    )
    assert np.abs(after - before).max() > 1e-4


@every_form
@few_examples
@given(seed=seeds)
def test_translating_and_wrapping_leaves_local_energies_alone(name, seed):
    frame = crowded_frame(seed)
    rng = np.random.default_rng(seed)
    moved = frame.positions + rng.uniform(-20, 20, 3) + rng.integers(-2, 3, (6, 3)) @ frame.cell
    before, after = local_energies(
        random_model(name), frame, dataclasses.replace(frame, positions=moved)
    )
    np.testing.assert_allclose(after, before, atol=ROUNDING)


@every_form
@few_examples
@given(seed=seeds, order=st.permutations(range(6)))
def test_relabelling_atoms_relabels_local_energies(name, seed, order):
    frame = crowded_frame(seed)
    relabelled = Frame(frame.atomic_numbers[order], frame.positions[order], frame.cell)
    before, after = local_energies(random_model(name), frame, relabelled)
    np.testing.assert_allclose(after, before[order], atol=ROUNDING)


@every_architecture
def test_exchanging_elements_changes_local_energies(name):
    """Control of relabelling: elements matter, beyond their offsets."""
    frame = crowded_frame(1)
    numbers = np.where(frame.atomic_numbers == 18, 36, 18)
    model = random_model(name)
    before, after = local_energies(model, frame, dataclasses.replace(frame, atomic_numbers=numbers))
    offset = np.where(numbers == 18, -3.0, 3.0)
    assert np.abs(after - before - offset).max() > 1e-3


@every_form
def test_a_supercell_repeats_local_energies_and_other_frames_do_not_matter(name):
    frame = crowded_frame(2)
    cell = frame.cell.copy()
    cell[1] *= 2
    doubled = Frame(
        np.tile(frame.atomic_numbers, 2),
        np.concatenate([frame.positions, frame.positions + frame.cell[1]]),
        cell,
    )
    # the first frame is padded with atoms and places to the shape of the second
    single, double = local_energies(random_model(name), frame, doubled)
    np.testing.assert_allclose(double, np.tile(single, 2), atol=ROUNDING)


@every_form
def test_local_energies_sum_to_the_total(name):
    frames = [crowded_frame(seed) for seed in (3, 4)]
    model = random_model(name)
    totals = model.total_energies(frames)
    for total, local in zip(totals, model.local_energies(frames), strict=True):
        np.testing.assert_allclose(local.sum(), total, rtol=1e-14)


def dimer(distance: float) -> Frame:
    return Frame(
        np.array([18, 36]), np.array([[0.0, 0, 0], [distance, 0, 0]]), 4 * CUTOFF * np.eye(3)
    )


@every_form
def test_the_energy_dies_out_smoothly_at_the_cutoff(name):
    """The cutoff function falls as δ³ towards its end, so energy and force are continuous."""
    steps = np.array([0.02, 0.01])
    distances = [*(CUTOFF - steps), CUTOFF, CUTOFF + 0.1]
    near, nearer, at, beyond = (
        e.sum() for e in local_energies(random_model(name), *map(dimer, distances))
    )
    assert at == pytest.approx(beyond, abs=1e-13)
    assert abs(near - beyond) > 1e-12  # control: there is something that dies out
    # Halving δ divides the energy by 8 in the limit; at these δ by more than 6. A jump would
    # give 1, a kink 2, a jump of the second derivative 4.
    assert abs(near - beyond) > 6.0 * abs(nearer - beyond)


@every_architecture
def test_atoms_beyond_the_cutoff_of_each_other_are_isolated(name):
    far, farther = local_energies(random_model(name), dimer(CUTOFF + 1e-9), dimer(1.5 * CUTOFF))
    np.testing.assert_allclose(far, farther, atol=ROUNDING)


@every_form
def test_forces_and_stress_are_derivatives_of_the_energy(name):
    atoms = crowded_frame(5).to_ase()
    atoms.calc = Calculator(random_model(name), skin=0.3)
    rng = np.random.default_rng(0)
    forces, stress = atoms.get_forces(), atoms.get_stress(voigt=False)
    start, cell = atoms.positions.copy(), np.array(atoms.cell)
    direction = rng.normal(size=start.shape)
    strain = rng.normal(size=(3, 3))
    strain = 0.5 * (strain + strain.T)

    def energy(shift: float, stretch: float) -> float:
        deform = np.eye(3) + stretch * strain
        atoms.set_cell(cell @ deform)
        atoms.positions = (start + shift * direction) @ deform
        return atoms.get_potential_energy()

    # Central differences: truncation ~h² times third derivatives (of the order of 100 eV/Å³
    # here), rounding ~1e-14 |E|/h; both are below 1e-6 of the derivative at h = 1e-4.
    h = 1e-4
    along = (energy(h, 0.0) - energy(-h, 0.0)) / (2 * h)
    assert along == pytest.approx(-(forces * direction).sum(), rel=1e-5, abs=1e-6)
    by_strain = (energy(0.0, h) - energy(0.0, -h)) / (2 * h)
    expected = np.linalg.det(cell) * (stress * strain).sum()
    assert by_strain == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert abs(along) > 1e-2  # control: the derivatives are not zero
    assert abs(by_strain) > 1e-2
    np.testing.assert_allclose(forces.sum(axis=0), 0.0, atol=1e-13 * np.abs(forces).sum())


@every_architecture
def test_the_calculator_agrees_with_the_model(name):
    frame = crowded_frame(6)
    atoms = frame.to_ase()
    atoms.calc = Calculator(random_model(name), skin=0.3)
    from zeroflux.units import ELECTRONVOLT

    (local,) = local_energies(random_model(name), frame)
    energies = atoms.get_potential_energies()
    np.testing.assert_allclose(energies * ELECTRONVOLT, local, atol=ROUNDING)
    assert energies.sum() == pytest.approx(atoms.get_potential_energy(), rel=1e-13)


@every_architecture
def test_a_checkpoint_gives_back_the_same_model(name, tmp_path):
    model = random_model(name)
    save_model(tmp_path / "model.safetensors", model)
    restored = load_model(tmp_path / "model.safetensors")
    assert restored.architecture == model.architecture
    assert restored.n_parameters == model.n_parameters
    frames = [crowded_frame(seed) for seed in (3, 4)]
    for a, b in zip(model.local_energies(frames), restored.local_energies(frames), strict=True):
        np.testing.assert_array_equal(a, b)


@every_architecture
@pytest.mark.parametrize("n_species", [1, 2])
def test_a_model_has_about_the_number_of_parameters_asked_for(name, n_species):
    for wanted in (300, 450):
        architecture = sized_architecture(name, wanted, cutoff=CUTOFF, n_species=n_species)
        found = n_parameters(architecture.init(0))
        # from one width to the next the count grows by up to a half at this size
        assert found == pytest.approx(wanted, rel=0.25)


@every_architecture
def test_the_last_layer_is_the_derivative_by_its_parameters(name):
    """What rigidity reads: scaling the last layer scales the sum of its products."""
    model = random_model(name)
    frame = crowded_frame(7)
    inputs = prepared_inputs(model.architecture, [frame], SPECIES)
    with jax.enable_x64(True):
        one = model.architecture.standardise(
            jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), inputs), model.statistics
        )
        params = jax.tree.map(jnp.asarray, model.params)
        read = np.asarray(model.architecture.last_layer(params, one))
        output = np.asarray(model.architecture.local_energies(params, one))
    # the outputs are linear in what the last layer reads
    solution, *_ = np.linalg.lstsq(read, output)
    if read.shape[1] < len(output):  # otherwise any output could be matched
        np.testing.assert_allclose(read @ solution, output, atol=1e-9)
    assert read.shape[0] == composition([frame], SPECIES).sum()


@every_architecture
def test_an_atom_s_own_element_matters_in_equal_surroundings(name):
    """Standardised surroundings do not tell argon from krypton; the model has to."""
    model = random_model(name)
    inputs = prepared_inputs(model.architecture, [crowded_frame(8)], SPECIES)
    with jax.enable_x64(True):
        one = model.architecture.standardise(
            jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), inputs), model.statistics
        )
        params = jax.tree.map(jnp.asarray, model.params)
        other = one._replace(species=1 - one.species)
        before, after = (model.architecture.local_energies(params, x) for x in (one, other))
    assert np.abs(np.asarray(after) - np.asarray(before)).min() > 1e-6
