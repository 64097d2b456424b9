"""What scores and shortcuts must not depend on: order of atoms, gauge, copies, units."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zeroflux.correlation import ComponentTable, fit_shortcut, predictor, shortcut_energies
from zeroflux.evaluation import local_scores
from zeroflux.evaluation.statistics import holm, partial_spearman, spearman
from zeroflux.labels import TERMS

SEEDS = st.integers(0, 2**32 - 1)
QUICK = settings(max_examples=25, deadline=None, derandomize=True)
N_CONFIGURATIONS, N_ATOMS = 8, 12


def scored_atoms(seed: int) -> dict[str, Any]:
    """Made-up energies of two species in two systems."""
    rng = np.random.default_rng(seed)
    n = N_CONFIGURATIONS * N_ATOMS
    reference = rng.normal(scale=0.01, size=n) - 20.0
    return {
        "reference": reference,
        "local_energy": reference + rng.normal(scale=0.005, size=n),
        "species": np.tile(np.repeat([18, 36], N_ATOMS // 2), N_CONFIGURATIONS),
        "configuration": np.repeat(np.arange(N_CONFIGURATIONS), N_ATOMS),
        "systems": ["a", "b"] * (N_CONFIGURATIONS // 2),
    }


def values(data: dict[str, Any]) -> np.ndarray:
    """All scores of a data set as one array."""
    scores = local_scores(**data, n_bootstrap=20, rng=np.random.default_rng(0))
    return np.array(
        [
            [s.rmse.value, s.slope.value, s.pearson.value, s.r2.value, s.rank_within.value]
            for s in sorted(scores, key=lambda s: (s.system, s.species))
        ]
    )


def table(seed: int) -> ComponentTable:
    """Made-up components with a sum rule."""
    rng = np.random.default_rng(seed)
    n = N_CONFIGURATIONS * N_ATOMS
    configuration = np.repeat(np.arange(N_CONFIGURATIONS), N_ATOMS)
    species = rng.permuted(
        np.where(np.arange(N_ATOMS) < rng.integers(3, 9, size=(N_CONFIGURATIONS, 1)), 18, 36),
        axis=1,
    ).ravel()
    components = rng.normal(scale=0.01, size=(n, len(TERMS))) - 3.0
    energy = components.sum(axis=1)
    return ComponentTable(
        components=components,
        basin_energy=energy,
        species=species.astype(np.int64),
        configuration=configuration,
        total_energy=np.bincount(configuration, weights=energy),
        systems=("a",) * N_CONFIGURATIONS,
    )


@QUICK
@given(seed=SEEDS)
def test_the_order_of_atoms_changes_no_score(seed):
    data = scored_atoms(seed)
    order = np.random.default_rng(seed).permutation(len(data["species"]))
    per_atom = ("reference", "local_energy", "species", "configuration")
    shuffled = data | {key: data[key][order] for key in per_atom}
    np.testing.assert_allclose(values(shuffled), values(data), rtol=1e-9, atol=1e-12)


@QUICK
@given(seed=SEEDS, shift=st.floats(-5.0, 5.0), other=st.floats(-5.0, 5.0))
def test_a_constant_per_species_changes_no_score(seed, shift, other):
    data = scored_atoms(seed)
    move = np.where(data["species"] == 18, shift, other)
    moved = data | {"local_energy": data["local_energy"] + move}
    # Energies of 20 hartree hold 4e-15; against errors of 5e-3 that is 1e-12 relative.
    np.testing.assert_allclose(values(moved), values(data), rtol=1e-8)


@QUICK
@given(seed=SEEDS)
def test_control_a_constant_per_configuration_does_change_scores(seed):
    """The energy of a configuration is no gauge: totals fix it."""
    data = scored_atoms(seed)
    move = 0.01 * np.arange(N_CONFIGURATIONS)[data["configuration"]]
    moved = data | {"local_energy": data["local_energy"] + move}
    assert (values(moved)[:, 0] > values(data)[:, 0] + 1e-3).all()


@QUICK
@given(seed=SEEDS, scale=st.floats(0.1, 10.0))
def test_a_unit_scales_the_error_and_leaves_ratios(seed, scale):
    data = scored_atoms(seed)
    scaled = data | {key: scale * data[key] for key in ("reference", "local_energy")}
    one, other = values(data), values(scaled)
    np.testing.assert_allclose(other[:, 0], scale * one[:, 0], rtol=1e-8)
    np.testing.assert_allclose(other[:, 1:], one[:, 1:], rtol=1e-8, atol=1e-10)


@QUICK
@given(seed=SEEDS)
def test_supercells_leave_the_shortcut_as_it_is(seed):
    """Each configuration twice over in one cell: the same fit, the same atoms."""
    small = table(seed)
    rows = np.concatenate(
        [np.tile(np.flatnonzero(small.configuration == k), 2) for k in range(N_CONFIGURATIONS)]
    )
    large = ComponentTable(
        components=small.components[rows],
        basin_energy=small.basin_energy[rows],
        species=small.species[rows],
        configuration=np.repeat(np.arange(N_CONFIGURATIONS), 2 * N_ATOMS),
        total_energy=2.0 * small.total_energy,
        systems=small.systems,
    )
    es = predictor("es")
    one, other = fit_shortcut(small, es), fit_shortcut(large, es)
    np.testing.assert_allclose(other.slopes, one.slopes, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(
        shortcut_energies(other, large).local_energy,
        shortcut_energies(one, small).local_energy[rows],
        rtol=1e-9,
    )


@QUICK
@given(
    seed=SEEDS, rule=st.sampled_from(["even", "deviation"]), name=st.sampled_from(["es", "t,xc"])
)
def test_shortcut_energies_always_sum_to_the_totals(seed, rule, name):
    data = table(seed)
    fit = fit_shortcut(data, predictor(name))
    energy = shortcut_energies(fit, data, spread_rule=rule).local_energy
    np.testing.assert_allclose(data.totals(energy), data.total_energy, rtol=1e-13)


@QUICK
@given(seed=SEEDS)
def test_renaming_species_renames_slopes(seed):
    data = table(seed)
    swapped = dataclasses.replace(data, species=54 - data.species)
    es = predictor("es")
    one, other = fit_shortcut(data, es), fit_shortcut(swapped, es)
    np.testing.assert_allclose(other.slopes[::-1], one.slopes, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(other.offsets[::-1], one.offsets, rtol=1e-9)


@QUICK
@given(seed=SEEDS)
def test_rank_correlations_ignore_monotonic_changes_of_scale(seed):
    rng = np.random.default_rng(seed)
    x, y, z = rng.normal(size=(3, 20))
    assert spearman(np.exp(x), y) == pytest.approx(spearman(x, y), abs=1e-12)
    assert partial_spearman(np.exp(x), y**3, np.exp(z)[:, None]) == pytest.approx(
        partial_spearman(x, y, z[:, None]), abs=1e-12
    )
    assert spearman(-x, y) == pytest.approx(-spearman(x, y), abs=1e-12)


@QUICK
@given(p=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12))
def test_adjusted_p_values_keep_their_order_and_only_grow(p):
    p_values = np.array(p)
    adjusted, _ = holm(p_values)
    assert (adjusted >= p_values).all()
    assert (adjusted <= 1.0).all()
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()
