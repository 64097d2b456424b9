"""From scored networks to verdicts, on made-up studies whose answer is known."""

import numpy as np
import pytest

from zeroflux.config import ClaimConfig
from zeroflux.evaluation import Estimate, SpeciesScore, TotalScore
from zeroflux.report import ModelResult, main_cells
from zeroflux.stages.study import (
    associations,
    judged,
    pooled_association,
    pooled_slope,
    seeded,
    size_cells,
)
from zeroflux.units import MILLIELECTRONVOLT

MEV = MILLIELECTRONVOLT
SETS, ARCHITECTURES = ("argon", "krypton", "mixture"), ("bpnn", "painn")
SIZES = (60, 600, 6000, 60000)
AWAY = ("solid", "dense")
SLOPE_CLAIM = ClaimConfig(
    claim="Smaller is better", effect="size_slope", direction="positive", minimum_effect=0.1
)
EQUAL_CLAIM = SLOPE_CLAIM.model_copy(update={"effect": "size_slope_at_equal_totals"})
TRANSFER_CLAIM = ClaimConfig(
    claim="Better transfers better",
    effect="fidelity_transfer",
    direction="positive",
    minimum_effect=0.3,
)


def certain(value: float) -> Estimate:
    return Estimate(value, value, value)


def result(trained_on, architecture, size, seed, *, local, home_total, away, n_training=100):
    """A network with these errors (meV)."""
    nothing = certain(0.0)
    return ModelResult(
        name=f"{architecture}_{size}_{trained_on}_{n_training}_{seed}",
        architecture=architecture,
        n_parameters=size,
        size=size,
        seed=seed,
        trained_on=trained_on,
        local_energy=np.zeros(0),
        home_systems=(trained_on,),
        n_training_configurations=n_training,
        scores=(
            SpeciesScore(
                system=trained_on,
                species=18,
                n_atoms=100,
                n_configurations=10,
                spread=10 * MEV,
                rmse=certain(local * MEV),
                slope=nothing,
                pearson=nothing,
                r2=nothing,
                rank_within=nothing,
                offset=0.0,
            ),
        ),
        totals=tuple(
            TotalScore(name, 10, nothing, nothing, 0.0, certain(value * MEV))
            for name, value in {trained_on: home_total, **away}.items()
        ),
    )


def study(rng, *, slope=0.0, slope_scatter=0.0, link=0.0, through_total=0.0, seeds=6):
    """Networks whose errors follow size, totals and each other as told (meV)."""
    networks = []
    for trained_on in SETS:
        for architecture in ARCHITECTURES:
            own = slope + slope_scatter * rng.normal()
            for size in SIZES:
                for seed in range(seeds):
                    total = 0.5 + 0.1 * rng.normal() - 0.1 * np.log10(size / 60)
                    local = 3.0 + own * np.log10(size / 60) + 0.3 * rng.normal()
                    local += through_total * (total - 0.5)
                    away = {name: 1.0 + link * (local - 3.0) + 0.3 * rng.normal() for name in AWAY}
                    networks.append(
                        result(
                            trained_on,
                            architecture,
                            size,
                            seed,
                            local=local,
                            home_total=total,
                            away=away,
                        )
                    )
        linear = result(
            trained_on, "linear", 60, 0, local=1.0, home_total=0.1, away=dict.fromkeys(AWAY, 0.2)
        )
        networks.append(linear)
    return networks


def outcomes(networks, *claims):
    rng = np.random.default_rng(9)
    cells = size_cells(networks, n_bootstrap=200, rng=rng)
    found = associations(networks, n_bootstrap=100, rng=rng)
    return [claim.verdict.outcome for claim in judged(claims, cells, found)]


@pytest.mark.parametrize(("slope", "expected"), [(0.3, "supported"), (-0.1, "refuted")])
def test_a_planted_slope_decides_claim_a(slope, expected):
    networks = study(np.random.default_rng(0), slope=slope)
    assert outcomes(networks, SLOPE_CLAIM) == [expected]


def test_a_slope_at_the_limit_is_undecided():
    assert outcomes(study(np.random.default_rng(1), slope=0.1), SLOPE_CLAIM) == ["undecided"]


def test_training_sets_that_contradict_each_other_leave_it_undecided():
    """Each cell is certain of its own slope; together they say nothing of cells in general."""
    networks = study(np.random.default_rng(5), slope=0.15, slope_scatter=0.5)
    cells = main_cells(size_cells(networks, n_bootstrap=200, rng=np.random.default_rng(0)))
    signs = {np.sign(cell.slope.slope.value) for cell in cells}
    assert signs == {-1.0, 1.0}
    pooled = pooled_slope(cells)
    assert pooled.n_groups == len(SETS) * len(ARCHITECTURES)
    # standard deviation of six draws of 0.5: within a factor of two
    assert 0.25 * MEV < pooled.between_groups < 1.0 * MEV
    assert outcomes(networks, SLOPE_CLAIM) == ["undecided"]


def test_a_slope_that_comes_from_the_error_of_totals_vanishes_at_equal_totals():
    """Larger networks learn totals better, and the local error follows the totals alone."""
    networks = study(np.random.default_rng(2), through_total=4.0)
    cells = main_cells(size_cells(networks, n_bootstrap=200, rng=np.random.default_rng(0)))
    assert pooled_slope(cells).mean.high < -0.2 * MEV
    equal = pooled_slope(cells, at_equal_totals=True).mean
    assert equal.low < 0.0 < equal.high


@pytest.mark.parametrize(("link", "expected"), [(1.5, "supported"), (0.0, "refuted")])
def test_a_planted_link_decides_claim_b(link, expected):
    networks = study(np.random.default_rng(3), link=link, seeds=12)
    assert outcomes(networks, TRANSFER_CLAIM) == [expected]


def test_linear_models_have_no_seeds_and_no_vote():
    networks = study(np.random.default_rng(4))
    assert {m.architecture for m in seeded(networks)} == set(ARCHITECTURES)
    assert all(
        cell.architecture != "linear"
        for cell in size_cells(networks, n_bootstrap=50, rng=np.random.default_rng(0))
    )


def test_cells_of_fewer_configurations_are_kept_apart():
    rng = np.random.default_rng(6)
    few = [
        result(
            "argon",
            "bpnn",
            size,
            seed,
            local=5.0 + 0.5 * k + 0.1 * rng.normal(),
            home_total=0.5 + 0.1 * rng.normal(),
            away={},
            n_training=20,
        )
        for k, size in enumerate(SIZES)
        for seed in range(6)
    ]
    cells = size_cells([*study(rng), *few], n_bootstrap=100, rng=rng)
    scarce = [cell for cell in cells if cell.n_training == 20]
    assert len(scarce) == 1
    assert scarce[0].slope.slope.value == pytest.approx(0.5 * MEV, abs=0.1 * MEV)
    assert scarce[0].best.best == 60
    assert scarce[0] not in main_cells(cells)


def test_associations_are_made_per_set_size_and_target_and_adjusted_together():
    rng = np.random.default_rng(7)
    found = associations(study(rng, link=1.0, seeds=8), n_bootstrap=50, rng=rng)
    of_argon = [a for a in found if a.group.startswith("argon")]
    assert {a.group for a in of_argon} == {
        "argon: all",
        *(f"argon: about {size:,} parameters" for size in SIZES),
    }
    assert {a.target for a in of_argon if a.group == "argon: all"} == {"mean of 2 systems", *AWAY}
    assert all(a.adjusted_p_value >= a.p_value for a in found)
    assert pooled_association(found).n_groups == len(SETS)


def test_nothing_is_said_of_other_training_sets_from_one():
    networks = [m for m in study(np.random.default_rng(8), slope=0.5) if m.trained_on == "argon"]
    networks = [m for m in networks if m.architecture != "painn"]
    cells = size_cells(networks, n_bootstrap=100, rng=np.random.default_rng(0))
    (claim,) = judged([EQUAL_CLAIM], cells, [])
    assert claim.verdict.outcome == "undecided"
    assert "fewer than two" in claim.basis
