"""The shortcut on components with a known answer."""

import dataclasses

import numpy as np
import pytest
from synthetic_components import ARGON, MIXTURE, OFFSETS, SEVERAL, SLOPES, synthetic_table

from zeroflux.correlation import (
    ComponentTable,
    Predictor,
    fit_shortcut,
    predictor,
    shortcut_energies,
)
from zeroflux.correlation.shortcut import bootstrap_slopes, totals_problem
from zeroflux.errors import LabelError

ES = predictor("es")


def centred_rmse(table: ComponentTable, energy: np.ndarray) -> float:
    """Largest centred error of any species."""
    error = energy - table.basin_energy
    return max(error[table.species == z].std() for z in table.species_present)


@pytest.mark.parametrize("method", ["ols", "huber", "tls"])
def test_totals_alone_recover_slopes_and_atoms_when_the_relation_is_exact(method):
    table = synthetic_table(compositions=SEVERAL)
    fit = fit_shortcut(table, ES, method=method)
    # Rounding of totals of 300 hartree in a spread of 1e-3 leaves about 1e-9 in a slope.
    np.testing.assert_allclose(fit.slopes[:, 0], [SLOPES[18], SLOPES[36]], atol=1e-7)
    np.testing.assert_allclose(
        fit.offsets - fit.slopes[:, 0] * (fit.centres[:, 0] + 12.0),
        [OFFSETS[18], OFFSETS[36]],
        atol=1e-7,
    )
    applied = shortcut_energies(fit, table)
    np.testing.assert_allclose(applied.local_energy, table.basin_energy, atol=1e-8)
    assert not fit.is_degenerate
    assert fit.note == ""


def test_control_equal_totals_with_shuffled_atoms_give_the_same_fit_and_wrong_atoms():
    """The fit sees totals only, so it cannot follow a shuffle; its atoms must then be wrong."""
    table = synthetic_table(compositions=ARGON)
    rng = np.random.default_rng(1)
    energy = table.basin_energy.copy()
    for k in range(table.n_configurations):
        rows = np.flatnonzero(table.configuration == k)
        energy[rows] = energy[rng.permutation(rows)]
    shuffled = dataclasses.replace(table, basin_energy=energy)
    fit, fit_shuffled = fit_shortcut(table, ES), fit_shortcut(shuffled, ES)
    np.testing.assert_array_equal(fit.slopes, fit_shuffled.slopes)
    assert centred_rmse(table, shortcut_energies(fit, table).local_energy) < 1e-8
    within = energy - table.totals(energy)[table.configuration] / 16
    assert centred_rmse(shuffled, shortcut_energies(fit, shuffled).local_energy) > within.std()


def test_one_composition_leaves_offsets_undetermined_and_says_so():
    table = synthetic_table(compositions=MIXTURE)
    fit = fit_shortcut(table, ES)
    assert (fit.rank, fit.n_coefficients) == (3, 4)
    assert fit.is_degenerate
    assert "1 of 4 coefficients" in fit.note
    np.testing.assert_allclose(fit.slopes[:, 0], [SLOPES[18], SLOPES[36]], atol=1e-7)
    # The offsets are wrong by hartrees, yet the atoms of one species differ as they should.
    energy = shortcut_energies(fit, table).local_energy
    assert centred_rmse(table, energy) < 1e-8
    assert abs((energy - table.basin_energy)[table.species == 18].mean()) > 0.1
    np.testing.assert_allclose(table.totals(energy), table.total_energy, rtol=1e-13)


def test_references_put_undetermined_offsets_near_the_isolated_atoms():
    table = synthetic_table(compositions=MIXTURE)
    fit = fit_shortcut(table, ES, references={18: OFFSETS[18], 36: OFFSETS[36]})
    energy = shortcut_energies(fit, table).local_energy
    assert abs((energy - table.basin_energy)[table.species == 18].mean()) < 1.0
    np.testing.assert_allclose(table.totals(energy), table.total_energy, rtol=1e-13)


def test_a_shortcut_fitted_in_the_pure_liquids_carries_over_to_the_mixture():
    pure = synthetic_table(compositions=[{18: 16}] * 12 + [{36: 16}] * 12)
    mixture = synthetic_table(compositions=MIXTURE, seed=5)
    applied = shortcut_energies(fit_shortcut(pure, ES), mixture)
    np.testing.assert_allclose(applied.local_energy, mixture.basin_energy, atol=1e-7)
    assert np.abs(applied.sum_rule_residual).max() < 1e-6


def test_shared_slopes_fail_where_species_have_slopes_of_their_own():
    table = synthetic_table(compositions=SEVERAL)
    own = shortcut_energies(fit_shortcut(table, ES), table)
    shared = shortcut_energies(fit_shortcut(table, ES, shared_slopes=True), table)
    assert centred_rmse(table, own.local_energy) < 1e-8
    assert centred_rmse(table, shared.local_energy) > 1e-5


@pytest.mark.parametrize("rule", ["even", "deviation"])
def test_spreading_the_residual_restores_the_sum_rule_and_none_leaves_it(rule):
    table = synthetic_table(compositions=SEVERAL, noise=1e-3)
    fit = fit_shortcut(table, ES)
    raw = shortcut_energies(fit, table, spread_rule="none")
    spread = shortcut_energies(fit, table, spread_rule=rule)
    np.testing.assert_allclose(table.totals(spread.local_energy), table.total_energy, rtol=1e-13)
    np.testing.assert_allclose(
        table.totals(raw.local_energy) - table.total_energy, raw.sum_rule_residual, atol=1e-10
    )
    assert np.abs(raw.sum_rule_residual).max() > 1e-4


def test_huber_ignores_one_wild_total_that_bends_least_squares():
    table = synthetic_table(compositions=ARGON, noise=1e-6)
    wild = table.total_energy.copy()
    wild[3] += 0.5
    spoilt = dataclasses.replace(table, total_energy=wild)
    error = {
        method: abs(fit_shortcut(spoilt, ES, method=method).slopes[0, 0] - SLOPES[18])
        for method in ("ols", "huber")
    }
    assert error["huber"] < 1e-3
    assert error["ols"] > 30 * error["huber"]


def test_total_least_squares_removes_the_attenuation_by_noise_in_the_predictor():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4000, 1))
    noisy = x + 0.5 * rng.normal(size=x.shape)
    y = 2.0 * x[:, 0] + 3.0 + 0.5 * rng.normal(size=len(x))
    from zeroflux.correlation.regression import solve

    ones = np.ones((len(x), 1))
    total = solve(noisy, ones, y, method="tls", noise_ratio=1.0)
    ordinary = solve(noisy, ones, y)
    # Noise of variance ¼ on a predictor of variance 1 attenuates 2 to 2/1.25 = 1.6; the
    # statistical error of either slope with 4000 points is about 0.02.
    assert total.slopes[0] == pytest.approx(2.0, abs=0.08)
    assert ordinary.slopes[0] == pytest.approx(1.6, abs=0.08)
    assert total.offsets[0] == pytest.approx(3.0, abs=0.08)


def test_two_terms_with_slopes_of_their_own_recover_a_plane():
    rng = np.random.default_rng(3)
    table = synthetic_table(compositions=ARGON)
    components = table.components + 0.0
    components[:, 0] = 8.0 + 0.01 * rng.normal(size=len(components))
    components[:, 1] = -7.0 + 0.01 * rng.normal(size=len(components))
    energy = -21 + 0.3 * components[:, 0] - 0.7 * components[:, 1]
    plane = ComponentTable(
        components=components,
        basin_energy=energy,
        species=table.species,
        configuration=table.configuration,
        total_energy=table.totals(energy),
        systems=table.systems,
    )
    fit = fit_shortcut(plane, predictor("t,xc"), known_terms=())
    np.testing.assert_allclose(fit.slopes[0], [0.3, -0.7], atol=1e-8)
    assert fit_shortcut(plane, predictor("t+xc"), known_terms=()).residual_rms > 1e-3


def test_bootstrap_intervals_hold_the_true_slope_and_shrink_with_data():
    few = synthetic_table(compositions=ARGON[:8], noise=1e-4, seed=4)
    many = synthetic_table(compositions=[{18: 16}] * 80, noise=1e-4, seed=4)
    widths = []
    for table in (few, many):
        fit = fit_shortcut(table, ES)
        problem = totals_problem(table, ES, species=fit.species, centres=fit.centres)
        (slope,) = bootstrap_slopes(problem, rng=np.random.default_rng(0), confidence=0.99)
        assert slope.low <= SLOPES[18] <= slope.high
        widths.append(slope.half_width)
    assert widths[1] < 0.6 * widths[0]


def test_fewer_configurations_than_unknowns_are_refused():
    table = synthetic_table(compositions=SEVERAL[:3])
    with pytest.raises(LabelError, match=r"3 configurations for the 4 coefficients.*Label more"):
        fit_shortcut(table, ES)


def test_a_species_never_seen_is_refused():
    fit = fit_shortcut(synthetic_table(compositions=ARGON), ES)
    with pytest.raises(LabelError, match=r"atomic numbers \[36\]"):
        shortcut_energies(fit, synthetic_table(compositions=MIXTURE))


def test_terms_may_be_named_in_full():
    np.testing.assert_array_equal(
        predictor("kinetic+xc, electrostatic").weights, predictor("t+xc,es").weights
    )


@pytest.mark.parametrize(
    "make", [lambda: predictor("es+foo"), lambda: Predictor("x", ({"nuclear": 1.0},))]
)
def test_unknown_components_are_refused(make):
    with pytest.raises(ValueError, match="expected"):
        make()
