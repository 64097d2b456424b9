"""The score by which a table is sorted: its ends, its weights, and what it leaves out."""

import numpy as np
import pytest

from zeroflux.evaluation import achieved, pooled_achieved

N_CONFIGURATIONS, N_ATOMS = 40, 10
CONFIGURATION = np.repeat(np.arange(N_CONFIGURATIONS), N_ATOMS)
SYSTEMS = ["argon"] * 30 + ["krypton"] * 10
SPECIES = np.where(CONFIGURATION < 30, 18, 36)
NOISE = np.random.default_rng(0).normal(size=len(CONFIGURATION))
FLOOR = {"argon": 0.1, "krypton": 0.1}


def unit_rms(values):
    """The values with mean 0 and root mean square 1 in each system."""
    out = values.copy()
    for z in (18, 36):
        own = z == SPECIES
        out[own] -= out[own].mean()
        out[own] /= out[own].std()
    return out


UNIT = unit_rms(NOISE)


def score(error, *, baselines=None, floor=FLOOR, species=SPECIES, systems=SYSTEMS):
    return achieved(
        error=error,
        baseline_errors=[UNIT] if baselines is None else baselines,
        floor=floor,
        species=species,
        configuration=CONFIGURATION,
        systems=systems,
        n_bootstrap=100,
        rng=np.random.default_rng(1),
    )


@pytest.mark.parametrize(
    ("size", "expected"), [(2.0, 0.0), (1.0, 0.0), (0.55, 0.5), (0.1, 1.0), (0.0, 1.0)]
)
def test_the_score_runs_from_the_baseline_to_the_noise_floor_and_no_further(size, expected):
    assert score(size * UNIT).score.value == pytest.approx(expected, abs=1e-12)


def test_the_better_baseline_counts():
    assert score(0.55 * UNIT, baselines=[UNIT, 0.6 * UNIT]).score.value == pytest.approx(0.1)


def test_systems_weigh_the_same_however_many_atoms_they_have():
    error = np.where(SPECIES == 18, 2.0, 0.1) * UNIT
    found = score(error)
    assert found.by_system["argon"].value == 0.0
    assert found.by_system["krypton"].value == pytest.approx(1.0)
    assert found.score.value == pytest.approx(0.5)


def test_a_constant_per_species_costs_nothing_and_one_per_configuration_does():
    error = 0.55 * UNIT
    shifted = error + np.where(SPECIES == 18, 7000.0, -5.0)
    assert score(shifted).score.value == pytest.approx(0.5, abs=1e-6)
    assert score(error + (CONFIGURATION % 2)).score.value < 0.4


def test_a_system_whose_baseline_is_at_the_floor_is_left_out_and_named():
    baseline = np.where(SPECIES == 18, 1.0, 0.0) * UNIT
    found = score(0.55 * UNIT, baselines=[baseline], floor={"argon": 0.1, "krypton": 0.0})
    assert found.undecided == ("krypton",)
    assert found.score.value == pytest.approx(0.5)
    none = score(0.55 * UNIT, floor={"argon": 2.0, "krypton": 2.0})
    assert np.isnan(none.score.value)
    assert set(none.undecided) == {"argon", "krypton"}


def test_the_interval_holds_the_score_and_narrows_with_configurations():
    model = 0.5 * unit_rms(np.random.default_rng(2).normal(size=len(NOISE)))
    found = score(model)
    assert found.score.low < found.score.value < found.score.high
    # 30 configurations of argon against 10 of krypton: √3 narrower.
    assert found.by_system["argon"].half_width < found.by_system["krypton"].half_width


def test_one_configuration_has_a_score_without_an_interval():
    systems = ["argon"] * 30 + ["krypton"] * 9 + ["alone"]
    found = score(0.55 * UNIT, systems=systems, floor={**FLOOR, "alone": 0.1})
    assert np.isfinite(found.by_system["alone"].value)
    assert np.isnan(found.by_system["alone"].low)


def test_no_baseline_and_numbers_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="0 baselines"):
        score(UNIT, baselines=[])
    with pytest.raises(ValueError, match="1 errors that are not finite"):
        score(np.where(np.arange(len(UNIT)) == 3, np.nan, UNIT))


def test_over_pools_all_systems_weigh_the_same_and_a_missing_pool_leaves_no_score():
    both, argon = score(np.where(SPECIES == 18, 2.0, 0.1) * UNIT), score(0.55 * UNIT)
    rng = np.random.default_rng(0)
    found = pooled_achieved({"mixed": both, "other": argon}, rng=rng)
    assert list(found.by_system) == [
        "mixed: argon",
        "mixed: krypton",
        "other: argon",
        "other: krypton",
    ]
    assert found.score.value == pytest.approx((0.0 + 1.0 + 0.5 + 0.5) / 4)
    assert found.score.low <= found.score.value <= found.score.high
    missing = pooled_achieved({"mixed": both, "other": None}, rng=rng)
    assert np.isnan(missing.score.value)
    assert len(missing.by_system) == 2
