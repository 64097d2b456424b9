"""The cache of inputs, and predictions that do not depend on their company."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from zeroflux.errors import ModelError
from zeroflux.frames import Frame
from zeroflux.potentials import energy
from zeroflux.potentials.energy import composition, prepared_inputs
from zeroflux.potentials.linear import Linear, Pair
from zeroflux.potentials.schnet import SchNet

LINEAR = Linear(9.0, 1, n_radial=4, n_angular=2)


def frames(n: int) -> list[Frame]:
    rng = np.random.default_rng(0)
    return [Frame(np.full(3, 18), rng.uniform(0, 8, (3, 3)), 8.0 * np.eye(3)) for _ in range(n)]


def test_inputs_come_from_the_cache_when_nothing_changed(tmp_path, monkeypatch):
    first = prepared_inputs(LINEAR, frames(3), [18], cache_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1

    def refuse(*_args):
        raise AssertionError("computed again")

    monkeypatch.setattr(energy, "_batch_inputs", refuse)
    again = prepared_inputs(LINEAR, frames(3), [18], cache_dir=tmp_path)
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("architecture", "n_frames"),
    [(replace(LINEAR, n_radial=5), 3), (LINEAR, 2), (Pair(9.0, 1, n_radial=4), 3)],
)
def test_another_architecture_or_set_has_its_own_cache(tmp_path, architecture, n_frames):
    prepared_inputs(LINEAR, frames(3), [18], cache_dir=tmp_path)
    prepared_inputs(architecture, frames(n_frames), [18], cache_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_work_in_chunks_gives_the_same_inputs(monkeypatch):
    whole = prepared_inputs(LINEAR, frames(5), [18])
    monkeypatch.setattr(energy, "CHUNK_PAIRS", 1)
    piecewise = prepared_inputs(LINEAR, frames(5), [18])
    np.testing.assert_allclose(piecewise.features, whole.features, rtol=1e-12)


def test_composition_counts_atoms_by_element():
    mixed = Frame(np.array([36, 18, 36]), np.arange(9.0).reshape(3, 3), 8.0 * np.eye(3))
    assert composition([mixed, frames(1)[0]], [18, 36]).tolist() == [[1, 2], [3, 0]]


def test_no_configurations_are_refused():
    with pytest.raises(ModelError, match="no configurations"):
        prepared_inputs(LINEAR, [], [18])


def test_a_brief_run_of_several_models_gives_the_numbers_of_each_alone():
    known = frames(4)

    def model(architecture, seed):
        inputs = prepared_inputs(architecture, known, [18])
        with jax.enable_x64(True):
            statistics = jax.tree.map(np.asarray, architecture.statistics(inputs))
        return energy.Model(
            architecture,
            (18,),
            jax.tree.map(np.asarray, architecture.init(jax.random.key(seed))),
            statistics,
            np.array([-1.5]),
            0.01 * (seed + 1),
        )

    models = [model(form, seed) for seed in (0, 1) for form in (SchNet(9.0, 1), LINEAR)]
    brief = energy.predictions(models, known, is_brief=True)
    for each, found in zip(models, brief, strict=True):
        np.testing.assert_allclose(found, each.local_energies(known), rtol=0, atol=1e-7)
    assert np.ptp([found[0][0] for found in brief]) > 1e-5
