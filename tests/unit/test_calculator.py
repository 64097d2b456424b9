"""The ASE calculator: its neighbour list, open boundaries, large systems, errors."""

import jax
import numpy as np
import pytest
from ase import Atoms

import zeroflux
from zeroflux import calculator as module
from zeroflux.errors import ModelError
from zeroflux.frames import Frame
from zeroflux.potentials import layers, messages
from zeroflux.potentials.energy import Model, prepared_inputs
from zeroflux.potentials.linear import Pair
from zeroflux.potentials.painn import PaiNN
from zeroflux.units import ANGSTROM

CUTOFF = 5.0  # Å


def pair_model(n_radial: int) -> Model:
    """A pair function of random weights; each test has a size of its own."""
    rng = np.random.default_rng(0)
    statistics = {"mean": np.zeros((1, n_radial)), "spread": np.ones((1, n_radial))}
    params = {"weight": rng.normal(size=n_radial), "bias": np.zeros(1)}
    architecture = Pair(CUTOFF * ANGSTROM, 1, n_radial=n_radial, inner=4.0)
    return Model(architecture, (18,), params, statistics, np.zeros(1), 1e-3)


def crystal(n: int) -> Atoms:
    from ase.build import bulk

    atoms = bulk("Ar", "fcc", a=5.4, cubic=True) * (n, 1, 1)
    atoms.rattle(0.1, seed=1)
    return atoms


def test_the_list_is_kept_for_small_moves_and_rebuilt_before_a_neighbour_is_missed():
    model = pair_model(5)
    atoms, rng = crystal(2), np.random.default_rng(0)
    atoms.calc = zeroflux.Calculator(model, skin=0.4)
    n_lists = []
    for step in (0.0, 0.05, 0.05, 1.0, 0.05):
        atoms.positions += step * rng.uniform(-1, 1, atoms.positions.shape)
        fresh = atoms.copy()
        fresh.calc = zeroflux.Calculator(model, skin=0.0)
        # the same sums in another order, in double precision
        np.testing.assert_allclose(atoms.get_forces(), fresh.get_forces(), atol=1e-12)
        assert atoms.get_potential_energy() == pytest.approx(fresh.get_potential_energy())
        n_lists.append(atoms.calc.n_lists_built)
    assert n_lists == [1, 1, 1, 2, 2]


def test_directions_without_periodic_boundaries_are_open():
    model = pair_model(6)
    open_pair = Atoms("Ar2", positions=[[0, 0, 0], [3.7, 0, 0]])
    boxed = open_pair.copy()
    boxed.set_cell(30 * np.eye(3))
    boxed.pbc = True
    small = boxed.copy()
    small.set_cell(6 * np.eye(3))  # control: images within the cutoff
    energies = []
    for atoms in (open_pair, boxed, small):
        atoms.calc = zeroflux.Calculator(model)
        energies.append(atoms.get_potential_energy())
    assert energies[0] == pytest.approx(energies[1], rel=1e-12)
    assert abs(energies[2] - energies[1]) > 1e-6


def two_layer_model() -> Model:
    """Messages of messages, which need the neighbours of neighbours in other blocks."""
    form = PaiNN(CUTOFF * ANGSTROM, 1, width=3, n_layers=2, n_radial=5)
    inputs = prepared_inputs(form, [Frame.from_ase(crystal(2))], [18])
    statistics = jax.tree.map(np.asarray, form.statistics(jax.tree.map(jax.numpy.asarray, inputs)))
    params = jax.tree.map(lambda leaf: np.asarray(leaf, float), form.init(0))
    return Model(form, (18,), params, statistics, np.zeros(1), 1e-2)


@pytest.mark.parametrize("model", [pair_model(7), two_layer_model()], ids=["pair", "two layers"])
def test_work_in_blocks_of_rows_gives_the_same(monkeypatch, model):
    """Large systems go block by block; here the blocks are small instead."""
    atoms = crystal(5)  # 20 atoms: three blocks of 7, the last one padded
    monkeypatch.setattr(messages, "LARGEST_DENSE", 0)
    whole, blocks = atoms.copy(), atoms.copy()
    module._evaluate.clear_cache()
    whole.calc = zeroflux.Calculator(model)
    expected = (whole.get_potential_energies(), whole.get_forces(), whole.get_stress())
    module._evaluate.clear_cache()
    monkeypatch.setattr(layers, "ROWS_AT_ONCE", 8)
    blocks.calc = zeroflux.Calculator(model)
    found = (blocks.get_potential_energies(), blocks.get_forces(), blocks.get_stress())
    module._evaluate.clear_cache()
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)
    assert np.abs(expected[1]).max() > 1e-3  # control: there are forces to compare


def test_an_element_the_model_does_not_know_is_refused():
    atoms = Atoms("ArKr", positions=[[0, 0, 0], [3.7, 0, 0]])
    atoms.calc = zeroflux.Calculator(pair_model(5))
    with pytest.raises(ModelError, match=r"atomic number \[36\]; the model knows"):
        atoms.get_potential_energy()
