"""The study's analysis: from scored networks to slopes, associations and verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroflux.config import ClaimConfig, Config
from zeroflux.evaluation import (
    Association,
    Criterion,
    Estimate,
    PooledEffect,
    ambiguity,
    best_size,
    holm_adjusted,
    mean_association,
    random_effects,
    size_slopes,
    standard_error_of,
    verdict,
)
from zeroflux.units import MILLIELECTRONVOLT

if TYPE_CHECKING:
    from zeroflux.report import JudgedClaim, ModelResult, ReportData, SeedAmbiguity, SizeCell

MIN_NETWORKS = 12
"""Fewest networks in which an association is looked for."""


def analysis(data: ReportData, config: Config) -> dict[str, Any]:
    """Slopes, associations and verdicts of the scored networks, as fields of the report's data."""
    rng = np.random.default_rng(config.evaluate.seed)
    n_bootstrap = config.evaluate.n_bootstrap
    cells = size_cells(data.networks, n_bootstrap=n_bootstrap, rng=rng)
    found = associations(data.main_networks, n_bootstrap=n_bootstrap, rng=rng)
    return {
        "cells": cells,
        "associations": found,
        "mean_slope": mean_slope(cells),
        "claims": judged(config.report.claims, cells, found),
    }


def seeded(networks: Sequence[ModelResult]) -> list[ModelResult]:
    """Networks proper: of architectures that have a random start, so that seeds differ."""
    counts: dict[tuple[str, str, int, int], int] = {}
    for m in networks:
        key = (m.architecture, m.trained_on, m.n_parameters, m.n_training_configurations)
        counts[key] = counts.get(key, 0) + 1
    several = {key[0] for key, count in counts.items() if count > 1}
    return [m for m in networks if m.architecture in several and np.isfinite(m.home_error)]


def size_cells(
    networks: Sequence[ModelResult], *, n_bootstrap: int, rng: np.random.Generator
) -> list[SizeCell]:
    """Effect of size for each architecture, training set and number of configurations."""
    from zeroflux.report import SizeCell

    def name(m: ModelResult) -> str:
        return f"{m.trained_on}\t{m.architecture}\t{m.n_training_configurations}"

    own = seeded(networks)
    if not own:
        return []
    n = np.array([m.n_parameters for m in own])
    error = np.array([m.home_error for m in own])
    total = np.array([m.home_total_error for m in own])
    names = [name(m) for m in own]
    alone = size_slopes(n, error, names, n_bootstrap=n_bootstrap, rng=rng)
    given = size_slopes(
        n, error, names, covariates=total[:, None], n_bootstrap=n_bootstrap, rng=rng
    )
    cells = []
    for key, slope in alone.items():
        chosen = np.array([other == key for other in names])
        trained_on, architecture, n_training = key.split("\t")
        cells.append(
            SizeCell(
                trained_on=trained_on,
                architecture=architecture,
                n_training=int(n_training),
                slope=slope,
                slope_at_equal_totals=given.get(key),
                best=best_size(n[chosen], error[chosen], rng=rng),
            )
        )
    return cells


def pooled_slope(cells: Sequence[SizeCell], *, at_equal_totals: bool = False) -> PooledEffect:
    """Mean slope over cells, each of which may have a slope of its own (hartree per decade)."""
    slopes = [cell.slope_at_equal_totals if at_equal_totals else cell.slope for cell in cells]
    found = [slope.slope for slope in slopes if slope is not None]
    return _pooled(found)


def _pooled(found: Sequence[Estimate]) -> PooledEffect:
    """Random-effects mean over groups."""
    return random_effects(
        np.array([effect.value for effect in found]),
        np.array([standard_error_of(effect) for effect in found]),
    )


def mean_slope(cells: Sequence[SizeCell]) -> PooledEffect | None:
    """Mean slope of the main cells to be shown; of a lone cell its own, interval included."""
    from zeroflux.report import main_cells

    used = main_cells(cells)
    if len(used) == 1:
        return PooledEffect(used[0].slope.slope, float("nan"), 1)
    return pooled_slope(used) if used else None


def associations(
    networks: Sequence[ModelResult], *, n_bootstrap: int, rng: np.random.Generator
) -> tuple[Association, ...]:
    """Local error at home against error of totals elsewhere, training set by training set.

    For all networks of a set and for those of each size; covariates are the error of totals at
    home, log size and the architecture. Holm's adjustment is over all of them.
    """
    found = []
    for trained_on in dict.fromkeys(m.trained_on for m in networks):
        own = [m for m in seeded(networks) if m.trained_on == trained_on]
        targets = away_systems(own)
        if len(own) < MIN_NETWORKS or not targets:
            continue
        groups: dict[str, list[ModelResult]] = {f"{trained_on}: all": own}
        for size in sorted({m.size for m in own}):
            of_size = [m for m in own if m.size == size]
            if MIN_NETWORKS <= len(of_size) < len(own):
                groups[f"{trained_on}: about {size:,} parameters"] = of_size
        for group, members in groups.items():
            found.append(_association(members, targets, group, n_bootstrap, rng))
        for target in targets:
            each = _association(own, [target], f"{trained_on}: all", n_bootstrap, rng)
            found.append(_renamed(each, target))
    return holm_adjusted(found)


def away_systems(networks: Sequence[ModelResult]) -> list[str]:
    """Systems unlike the training set on which all of these networks were scored."""
    scored = [
        {s.system for s in m.totals if not m.is_home(s.system) and s.n_configurations > 1}
        for m in networks
    ]
    common = set.intersection(*scored) if scored else set()
    return [s.system for s in networks[0].totals if s.system in common] if networks else []


def _association(
    networks: Sequence[ModelResult],
    targets: Sequence[str],
    group: str,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> Association:
    errors = [{s.system: s.centred_rmse.value for s in m.totals} for m in networks]
    kinds = sorted({m.architecture for m in networks})
    covariates = [
        [
            m.home_total_error,
            np.log10(m.n_parameters),
            *(float(m.architecture == k) for k in kinds[1:]),
        ]
        for m in networks
    ]
    return mean_association(
        local_error=np.array([m.home_error for m in networks]),
        transfer_error=np.array([[e[target] for target in targets] for e in errors]),
        covariates=np.array(covariates),
        group=group,
        n_bootstrap=n_bootstrap,
        rng=rng,
    )


def _renamed(found: Association, target: str) -> Association:
    from dataclasses import replace

    return replace(found, target=target)


def pooled_association(found: Sequence[Association]) -> PooledEffect:
    """Mean over training sets of the partial correlation that is a mean over targets."""
    means = [a for a in found if a.group.endswith(": all") and a.target.startswith("mean of")]
    return _pooled([a.partial for a in means])


def judged(
    claims: Sequence[ClaimConfig],
    cells: Sequence[SizeCell],
    found: Sequence[Association],
) -> list[JudgedClaim]:
    """Verdicts on the configured claims."""
    from zeroflux.report import JudgedClaim, main_cells

    results = []
    for claim in claims:
        is_slope = claim.effect != "fidelity_transfer"
        unit = MILLIELECTRONVOLT if is_slope else 1.0
        criterion = Criterion(claim.claim, claim.direction, claim.minimum_effect * unit)
        if is_slope:
            equal = claim.effect == "size_slope_at_equal_totals"
            used = main_cells(cells)
            pooled = pooled_slope(used, at_equal_totals=equal)
            groups = {
                f"{cell.trained_on}, {cell.architecture}": slope.slope
                for cell in used
                if (slope := cell.slope_at_equal_totals if equal else cell.slope) is not None
            }
            what = "combinations of training set and architecture"
        else:
            pooled = pooled_association(found)
            groups = {
                a.group.removesuffix(": all"): a.partial
                for a in found
                if a.group.endswith(": all") and a.target.startswith("mean of")
            }
            what = "training sets"
        results.append(
            JudgedClaim(
                verdict(pooled.mean, criterion),
                claim.effect,
                "meV per decade" if is_slope else "",
                basis=_basis(pooled, what, unit),
                details=tuple(f"{name}: {_words(e, unit)}" for name, e in groups.items()),
            )
        )
    return results


def _basis(pooled: PooledEffect, what: str, unit: float) -> str:
    """What the interval is over."""
    if pooled.n_groups < 2:
        return f"There are fewer than two {what}, so that nothing is said of others."
    return (
        f"Random-effects mean over {pooled.n_groups} {what}, which differ among themselves by "
        f"{pooled.between_groups / unit:.2g} (standard deviation beyond sampling)."
    )


def _words(estimate: Estimate, unit: float) -> str:
    from zeroflux.report.table import with_minus

    value, low, high = (x / unit for x in (estimate.value, estimate.low, estimate.high))
    return with_minus(f"{value:+.2f} ({low:+.2f} to {high:+.2f})")


def ambiguities(
    networks: Sequence[ModelResult],
    *,
    places: np.ndarray,
    species: np.ndarray,
    configuration: np.ndarray,
) -> list[SeedAmbiguity]:
    """Differences between seeds on systems like those trained on, size by size.

    ``places``, ``species`` and ``configuration`` belong to the atoms of the evaluated labels.
    """
    from zeroflux.report import SeedAmbiguity

    groups: dict[tuple[str, str, int], list[ModelResult]] = {}
    for m in seeded(networks):
        groups.setdefault((m.trained_on, m.architecture, m.n_parameters), []).append(m)
    code = np.unique(
        [f"{p} {z}" for p, z in zip(places, species, strict=True)], return_inverse=True
    )[1]
    found = []
    for (trained_on, architecture, size), own in groups.items():
        home = np.array([own[0].is_home(str(place)) for place in places])
        home &= np.isfinite(own[0].local_energy)
        if len(own) < 2 or not home.any():
            continue
        energy = np.array([m.local_energy[home] for m in own])
        found.append(
            SeedAmbiguity(
                trained_on,
                architecture,
                size,
                ambiguity(energy, group=code[home], configuration=configuration[home]),
            )
        )
    return found


def with_sizes(results: Sequence[ModelResult], sizes: Mapping[str, int]) -> list[ModelResult]:
    """Results with the number of parameters that was asked for, by the model's name."""
    from dataclasses import replace

    return [replace(m, size=sizes.get(m.name, 0)) for m in results]
