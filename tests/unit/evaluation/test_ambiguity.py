"""Models that agree on totals alone, and models that agree on everything."""

import numpy as np
import pytest

from zeroflux.evaluation import ambiguity

CONFIGURATION = np.repeat(np.arange(30), 16)
GROUP = np.zeros(480, dtype=np.int64)


def found(energy):
    return ambiguity(energy, group=GROUP, configuration=CONFIGURATION)


def test_models_that_move_energy_between_atoms_have_equal_totals_and_different_locals():
    rng = np.random.default_rng(0)
    moved = rng.normal(size=(8, 30, 16))
    moved -= moved.mean(axis=2, keepdims=True)  # nothing reaches the total
    result = found(rng.normal(size=480) + moved.reshape(8, 480))
    assert result.total < 1e-12
    # two independent models of variance 15/16 each
    assert result.local == pytest.approx(np.sqrt(2 * 15 / 16), rel=0.03)
    assert result.n_pairs == 28


def test_models_that_differ_by_totals_alone_have_nothing_open():
    rng = np.random.default_rng(1)
    total = rng.normal(size=(6, 30))
    result = found(np.repeat(total, 16, axis=1))
    assert result.local == pytest.approx(result.expected)
    assert result.ratio == pytest.approx(1.0)
    # control: independent errors of the atoms, of which the total keeps a quarter (1/√16)
    open_ = found(rng.normal(size=(6, 480)))
    assert open_.ratio == pytest.approx(4.0, rel=0.1)


def test_constants_per_species_are_no_difference():
    energy = np.random.default_rng(2).normal(size=480)
    group = np.tile([0] * 10 + [1] * 6, 30)
    shifted = np.stack([energy, energy + np.where(group == 0, 3.0, -5.0)])
    result = ambiguity(shifted, group=group, configuration=CONFIGURATION)
    assert result.local < 1e-12
    # control: within one group the same shift is a difference
    assert found(shifted).local > 1.0


def test_one_model_is_refused():
    with pytest.raises(ValueError, match="Found 1 model; expected at least two"):
        found(np.zeros((1, 480)))
