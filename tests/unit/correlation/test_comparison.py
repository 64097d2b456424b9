"""Choosing a shortcut by held-out totals and judging it by atoms."""

import dataclasses

import numpy as np
import pytest
from synthetic_components import ARGON, MIXTURE, SEVERAL, synthetic_table

from zeroflux.correlation import (
    compare_shortcuts,
    component_table,
    fit_locally,
    isolated_energies,
    predictor,
)
from zeroflux.correlation.comparison import fold_indices
from zeroflux.errors import LabelError
from zeroflux.frames import Frame
from zeroflux.labels import BASIN_FIELDS, BasinTerms, Label
from zeroflux.units import ELECTRONVOLT


def compare(train, test=None, names=("es", "xc", "t,nl"), **options):
    """Comparison of a few predictors."""
    return compare_shortcuts(
        train,
        test,
        predictors=[predictor(name) for name in names],
        n_bootstrap=50,
        rng=np.random.default_rng(0),
        **options,
    )


def test_the_exact_predictor_wins_on_held_out_totals():
    comparison = compare(synthetic_table(compositions=ARGON))
    best = comparison.best
    assert best.fit.predictor.name == "es"
    assert best.held_out.r2 > 1 - 1e-8
    (score,) = best.scores
    assert score.rmse.value < 1e-7
    assert score.pearson.value == pytest.approx(1.0, abs=1e-9)
    rmse = [result.held_out.rmse for result in comparison.results]
    assert rmse == sorted(rmse)
    assert comparison.is_out_of_fold


def test_control_a_predictor_unrelated_to_the_energy_explains_no_held_out_total():
    table = synthetic_table(compositions=ARGON)
    noise = np.random.default_rng(9).normal(scale=0.01, size=len(table.species))
    components = table.components.copy()
    components[:, 4] = noise
    unrelated = dataclasses.replace(table, components=components)
    (result,) = compare(unrelated, names=("nl",)).results
    # Noise predicts left-out totals no better than their mean, apart from luck of a few per cent.
    assert result.held_out.r2 < 0.3
    assert abs(result.scores[0].pearson.value) < 0.9


def test_basin_energies_have_no_say_in_fit_and_choice():
    table = synthetic_table(compositions=SEVERAL, noise=5e-4)
    rng = np.random.default_rng(3)
    spoilt = dataclasses.replace(table, basin_energy=rng.normal(size=len(table.species)))
    one, other = compare(table), compare(spoilt)
    assert [r.fit.predictor.name for r in one.results] == [
        r.fit.predictor.name for r in other.results
    ]
    for a, b in zip(one.results, other.results, strict=True):
        np.testing.assert_array_equal(a.local_energy, b.local_energy)
        assert a.held_out == b.held_out


def test_local_energies_of_a_configuration_do_not_depend_on_its_own_total_fit():
    """Out of fold: moving one total must not change any slope used for that configuration."""
    table = synthetic_table(compositions=ARGON, noise=3e-4)
    total = table.total_energy.copy()
    total[5] += 0.2
    moved = dataclasses.replace(table, total_energy=total)
    rows = table.configuration == 5
    a, b = (compare(t, names=("es",)).best.local_energy[rows] for t in (table, moved))
    np.testing.assert_allclose(a - a.mean(), b - b.mean(), atol=1e-12)
    others = table.configuration != 5
    c, d = (compare(t, names=("es",)).best.local_energy[others] for t in (table, moved))
    assert np.abs((c - c.mean()) - (d - d.mean())).max() > 1e-6


def test_a_test_set_is_scored_by_the_fit_to_the_training_set():
    pure = synthetic_table(
        compositions=[{18: 16}] * 12 + [{36: 16}] * 12, systems=["argon"] * 12 + ["krypton"] * 12
    )
    mixture = synthetic_table(compositions=MIXTURE, systems=["mixture"] * 24, seed=8)
    comparison = compare(pure, mixture, names=("es",))
    assert comparison.trained_on == ("argon", "krypton")
    assert comparison.scored_on == ("mixture",)
    assert not comparison.is_out_of_fold
    assert {score.species for score in comparison.best.scores} == {18, 36}
    assert max(score.rmse.value for score in comparison.best.scores) < 1e-7


def test_too_many_coefficients_are_skipped_with_the_reason():
    table = synthetic_table(compositions=ARGON[:4])
    comparison = compare(table, names=("es", "t,xc,es"), n_folds=4)
    assert [result.fit.predictor.name for result in comparison.results] == ["es"]
    ((name, reason),) = comparison.skipped
    assert name == "t,xc,es"
    assert "4 coefficients" in reason


def test_nothing_fitted_is_an_error_only_when_the_best_is_asked_for():
    comparison = compare(synthetic_table(compositions=ARGON[:2]), names=("t,xc,es",), n_folds=2)
    with pytest.raises(LabelError, match="No shortcut could be fitted"):
        _ = comparison.best


def test_a_fit_to_the_atoms_is_a_lower_bound_of_the_error():
    table = synthetic_table(compositions=SEVERAL, noise=1e-3)
    bounds = {b.species: b.rmse for b in fit_locally(table, predictor("es"))}
    result = compare(table, names=("es",), spread_rule="none").best
    for score in result.scores:
        # The out-of-fold energies have offsets per fold, which can only add to the error.
        assert score.rmse.value >= bounds[score.species] - 1e-9
        assert bounds[score.species] == pytest.approx(1e-3, rel=0.15)


@pytest.mark.parametrize(("n", "folds"), [(10, 3), (24, 5), (7, 7)])
def test_folds_are_as_equal_as_can_be(n, folds):
    sizes = np.bincount(fold_indices(n, folds, np.random.default_rng(0)))
    assert len(sizes) == folds
    assert sizes.max() - sizes.min() <= 1


def test_folds_without_data_are_refused():
    with pytest.raises(ValueError, match="3 folds for 2 configurations"):
        fold_indices(2, 3, np.random.default_rng(0))


def label(*, converged: bool = True, info: dict | None = None) -> Label:
    """A label of two atoms with numbers that mean nothing."""
    terms = BasinTerms(**{name: np.array([1.0, 2.0]) for name in BASIN_FIELDS})
    frame = Frame(np.array([18, 36]), np.array([[0.0, 0, 0], [7, 7, 7]]), np.eye(3) * 20)
    return Label(frame, 18.2, terms, is_converged=converged, info=info or {})


def test_a_table_keeps_converged_labels_and_their_sum_rule():
    table = component_table([label(info={"system": "pair"}), label(converged=False), label()])
    assert table.systems == ("pair", "Ar-Kr")
    np.testing.assert_allclose(table.totals(table.basin_energy), table.total_energy, rtol=1e-14)
    np.testing.assert_array_equal(table.component("dispersion"), [1, 2, 1, 2])


def test_isolated_atoms_are_references_only_if_all_species_have_one():
    info = {"isolated_energy_Ar_ev": -573.2, "isolated_energy_Kr_ev": -500.0}
    found = isolated_energies([label(info=info), label()])
    assert found is not None
    assert found[18] == pytest.approx(-573.2 * ELECTRONVOLT)
    assert isolated_energies([label(info={"isolated_energy_Ar_ev": -573.2})]) is None


def test_labels_that_all_failed_are_refused():
    with pytest.raises(LabelError, match="none of them converged"):
        component_table([label(converged=False)])


def test_choosing_a_system_that_is_not_there_is_refused():
    with pytest.raises(LabelError, match="no configuration of neon"):
        synthetic_table(compositions=ARGON).of_systems(["neon"])
