"""Scores of per-atom energies against brute force, and what they must and must not notice."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from zeroflux.evaluation import (
    local_scores,
    mean_energy_baseline,
    random_split_baseline,
    total_scores,
)
from zeroflux.evaluation.scores import _check_atoms


def atoms(*, n_configurations=12, noise=0.004, seed=0) -> dict[str, Any]:
    """Reference and scored energies of mixtures of 10 and 6 atoms, at the scale of real ones."""
    rng = np.random.default_rng(seed)
    species = np.tile(np.repeat([18, 36], [10, 6]), n_configurations)
    configuration = np.repeat(np.arange(n_configurations), 16)
    reference = np.where(species == 18, -21.0, -18.5) + rng.normal(scale=0.01, size=len(species))
    return {
        "reference": reference,
        "local_energy": reference + noise * rng.normal(size=len(species)),
        "species": species,
        "configuration": configuration,
        "systems": ["argon-rich"] * (n_configurations // 2)
        + ["other"] * (n_configurations - n_configurations // 2),
        "rng": np.random.default_rng(seed + 1),
    }


def changed(data: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The same data with some of it replaced."""
    return {**data, **changes}


def test_scores_agree_with_brute_force():
    data = atoms()
    for score in local_scores(**data):
        own = (data["species"] == score.species) & (
            np.array(data["systems"])[data["configuration"]] == score.system
        )
        x, y = data["reference"][own], data["local_energy"][own]
        line = stats.linregress(x, y)
        error = y - x - np.mean(y - x)
        assert score.n_atoms == own.sum()
        assert score.spread == pytest.approx(x.std(), rel=1e-9)
        # Sums of squares around -21 hartree lose digits to cancellation: 1e-8 is what is left.
        assert score.rmse.value == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-8)
        assert score.slope.value == pytest.approx(line.slope, rel=1e-8)
        assert score.pearson.value == pytest.approx(line.rvalue, rel=1e-8)
        assert score.r2.value == pytest.approx(1 - np.mean(error**2) / x.var(), rel=1e-8)
        ranks = [
            stats.spearmanr(x[members], y[members]).statistic
            for k in np.unique(data["configuration"][own])
            for members in [data["configuration"][own] == k]
        ]
        assert score.rank_within.value == pytest.approx(np.mean(ranks), rel=1e-12)


def test_intervals_agree_with_resampling_one_by_one():
    """The vectorised bootstrap by moments against recomputing the RMSE of drawn configurations."""
    data = atoms(n_configurations=20)
    data["systems"] = ["one"] * 20
    score = local_scores(**data, n_bootstrap=4000)[0]
    own = data["species"] == 18
    error = (data["local_energy"] - data["reference"])[own].reshape(20, 10)
    rng = np.random.default_rng(7)
    replicates = [error[rng.integers(20, size=20)].std() for _ in range(4000)]
    low, high = np.quantile(replicates, [0.025, 0.975])
    # Two independent sets of 4000 replicates agree to a few per cent of the interval's length.
    assert score.rmse.low == pytest.approx(low, abs=0.1 * (high - low))
    assert score.rmse.high == pytest.approx(high, abs=0.1 * (high - low))


def test_the_gauge_between_species_changes_the_offset_and_nothing_else():
    data = atoms()
    plain = local_scores(**data)
    data["local_energy"] = data["local_energy"] + np.where(data["species"] == 18, 0.3, -0.5)
    shifted = local_scores(**changed(data, rng=np.random.default_rng(1)))
    for a, b in zip(plain, shifted, strict=True):
        assert b.offset - a.offset == pytest.approx(0.3 if a.species == 18 else -0.5, abs=1e-12)
        assert b.rmse.value == pytest.approx(a.rmse.value, rel=1e-9)
        assert b.pearson.value == pytest.approx(a.pearson.value, rel=1e-9)


@pytest.mark.parametrize("swap", [False, True])
def test_exchanging_two_atoms_is_noticed_although_the_total_is_the_same(swap):
    """The control of centring: a permutation within a configuration is not a gauge."""
    data = atoms(noise=0.0)
    energy = data["reference"].copy()
    if swap:
        energy[[0, 1]] = energy[[1, 0]]
    scores = local_scores(**changed(data, local_energy=energy))
    assert (max(score.rmse.value for score in scores) > 1e-5) == swap


def test_perfect_energies_score_perfectly_and_half_the_response_has_slope_one_half():
    data = atoms(noise=0.0)
    for score in local_scores(**data):
        assert score.rmse.value < 1e-12
        assert score.slope.value == pytest.approx(1.0, abs=1e-9)
        assert score.rank_within.value == pytest.approx(1.0)
    mean = np.where(data["species"] == 18, -21.0, -18.5)
    data["local_energy"] = mean + 0.5 * (data["reference"] - mean)
    for score in local_scores(**data):
        assert score.slope.value == pytest.approx(0.5, abs=1e-9)
        assert score.pearson.value == pytest.approx(1.0, abs=1e-9)
        assert score.r2.value == pytest.approx(0.75, abs=1e-9)


def test_the_mean_energy_has_no_order_among_atoms_and_hardly_any_correlation():
    data = atoms(n_configurations=60)
    data["species"] = np.full_like(data["species"], 18)
    data["reference"] = -21 + np.random.default_rng(5).normal(scale=0.01, size=960)
    data["systems"] = ["one"] * 60
    total = np.bincount(data["configuration"], weights=data["reference"])
    data["local_energy"] = mean_energy_baseline(total, data["configuration"])
    (score,) = local_scores(**data)
    assert np.isnan(score.rank_within.value)
    # 16 independent atoms: the mean carries 1/16 of the variance, so r = 1/4 and R² = 1/16.
    assert score.pearson.value == pytest.approx(0.25, abs=0.08)
    assert score.r2.value == pytest.approx(1 / 16, abs=0.04)


def test_a_random_split_keeps_totals_and_spread_and_knows_nothing_else():
    data = atoms(n_configurations=200)
    total = np.bincount(data["configuration"], weights=data["reference"])
    split = random_split_baseline(
        total, data["configuration"], spread=0.01, rng=np.random.default_rng(99)
    )
    np.testing.assert_allclose(np.bincount(data["configuration"], weights=split), total, rtol=1e-13)
    noise = split - mean_energy_baseline(total, data["configuration"])
    assert noise.std() == pytest.approx(0.01, rel=0.1)
    for score in local_scores(**changed(data, local_energy=split)):
        assert abs(score.rank_within.value) < 0.2


def test_one_configuration_gives_no_interval():
    score = local_scores(**atoms(n_configurations=2))[0]
    assert score.n_configurations == 1
    assert np.isfinite(score.rmse.value)
    assert np.isnan(score.rmse.low)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"systems": ["one"]}, "configuration indices 0 to 11"),
        ({"local_energy": np.full(192, np.nan)}, "192 energies"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        local_scores(**changed(atoms(), **change))


def test_arrays_of_different_lengths_are_refused():
    """Called past the shape annotations, which only tests check."""
    one, two = np.zeros(3), np.zeros(4)
    with pytest.raises(ValueError, match=r"lengths \[3, 4\]"):
        _check_atoms(one, two, two.astype(int), two.astype(int), 1)


def test_total_scores_agree_with_brute_force_by_system():
    rng = np.random.default_rng(0)
    reference = rng.normal(-300, 5, size=30)
    n_atoms = rng.integers(10, 20, size=30)
    predicted = reference + n_atoms * (0.002 + 0.001 * rng.normal(size=30))
    systems = ["a"] * 10 + ["b"] * 20
    scores = total_scores(
        predicted=predicted, reference=reference, n_atoms=n_atoms, systems=systems, rng=rng
    )
    error = (predicted - reference) / n_atoms
    for score, own in zip(scores, (error[:10], error[10:]), strict=True):
        assert score.rmse.value == pytest.approx(np.sqrt(np.mean(own**2)))
        assert score.mae.value == pytest.approx(np.mean(np.abs(own)))
        assert score.mean_error == pytest.approx(own.mean())
        assert score.centred_rmse.value == pytest.approx(own.std())
        assert score.rmse.low < score.rmse.value < score.rmse.high


def test_the_mean_baseline_keeps_elements_apart_over_several_compositions():
    rng = np.random.default_rng(11)
    configuration = np.repeat(np.arange(12), 10)
    species = np.concatenate([np.where(np.arange(10) < 2 + k % 7, 18, 36) for k in range(12)])
    basin = np.where(species == 18, -21.0, -18.0) + 1e-3 * rng.normal(size=120)
    total = np.bincount(configuration, weights=basin)
    split = mean_energy_baseline(total, configuration, species=species)
    np.testing.assert_allclose(np.bincount(configuration, weights=split), total, atol=1e-9)
    for number in (18, 36):
        assert np.std(split[species == number]) < 1e-3  # of the size of the fluctuations
    # control: without elements the composition drowns everything
    plain = mean_energy_baseline(total, configuration)
    assert np.std(plain[species == 18]) > 0.1
