"""Stage correlate: the shortcut fitted on totals, against the direct energies."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from zeroflux.artifacts.atomic import replace_text
from zeroflux.artifacts.extxyz import read_labels
from zeroflux.config import CorrelateConfig
from zeroflux.correlation import (
    STANDARD_PREDICTORS,
    ShortcutComparison,
    compare_shortcuts,
    component_table,
    isolated_energies,
    predictor,
)
from zeroflux.labels import Label
from zeroflux.stages.label import LABELS
from zeroflux.stages.machinery import Run, Stage
from zeroflux.units import MILLIELECTRONVOLT

TABLE = "shortcuts.csv"
SLOPES = "slopes.csv"
MIN_LABELS = 12
"""Fewest labels of a system from which something is said of a shortcut in it."""


def comparisons(labels: Sequence[Label], settings: CorrelateConfig) -> list[ShortcutComparison]:
    """All shortcuts, within each system, from the pure liquids to the mixtures and back.

    Systems with few labels are left out beside those with more. The same settings give the same
    numbers.
    """
    predictors = [predictor(name) for name in settings.predictors] or STANDARD_PREDICTORS
    table = component_table(labels)
    rng = np.random.default_rng(settings.seed)
    compare = partial(
        compare_shortcuts,
        predictors=predictors,
        references=isolated_energies(labels),
        n_folds=settings.n_folds,
        n_bootstrap=settings.n_bootstrap,
        rng=rng,
    )
    systems = compared_systems(table.systems)
    within = [compare(table.of_systems([system])) for system in systems]
    elements = {s: set(table.of_systems([s]).species.tolist()) for s in systems}
    pure = [s for s in systems if len(elements[s]) == 1]
    mixed = [s for s in systems if len(elements[s]) > 1]
    # What the pure liquids teach of the mixture, and the mixture of them.
    across = []
    for system in mixed:
        own = [s for s in pure if elements[s] <= elements[system]]
        if set().union(*(elements[s] for s in own)) != elements[system]:
            continue
        liquids, mixture = table.of_systems(own), table.of_systems([system])
        across += [compare(liquids, mixture), compare(mixture, liquids)]
    return within + across


def compared_systems(of_labels: Sequence[str]) -> list[str]:
    """Systems with labels enough, or all if none has; given the system of each label."""
    counts = Counter(of_labels)
    return [name for name, n in counts.items() if n >= MIN_LABELS] or list(counts)


def _work(run: Run, folder: Path) -> Sequence[Path]:
    labels = read_labels(run.folder("label") / LABELS)
    found = comparisons(labels, run.config.correlate)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            *("trained_on", "system", "predictor", "element", "held_out_r2_of_totals"),
            *("held_out_rmse_of_totals_mev_per_atom", "sum_rule_rms_mev_per_atom"),
            *("spread_mev", "local_rmse_mev", "local_rmse_low_mev", "local_rmse_high_mev"),
            *("slope", "pearson", "bound_rmse_mev"),
        ]
    )
    mev = MILLIELECTRONVOLT
    for comparison in found:
        for result in comparison.results:
            bounds = {(b.system, b.species): b.rmse for b in result.upper_bounds}
            for score in result.scores:
                row: list[Any] = [
                    " ".join(comparison.trained_on),
                    score.system,
                    result.fit.predictor.name,
                    chemical_symbols[score.species],
                    result.held_out.r2,
                    result.held_out.rmse / mev,
                    result.sum_rule_rms / mev,
                    score.spread / mev,
                    score.rmse.value / mev,
                    score.rmse.low / mev,
                    score.rmse.high / mev,
                    score.slope.value,
                    score.pearson.value,
                    bounds[score.system, score.species] / mev,
                ]
                writer.writerow([x if isinstance(x, str) else f"{x:.6g}" for x in row])
        for name, reason in comparison.skipped:
            run.say(f"  {', '.join(comparison.scored_on)}: {name} left out: {reason}")
    return [
        replace_text(folder / TABLE, text.getvalue()),
        replace_text(folder / SLOPES, slope_table(found)),
    ]


def slope_table(found: Sequence[ShortcutComparison]) -> str:
    """Slopes fitted to totals with their intervals, beside those of the atoms themselves, CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            *("trained_on", "system", "predictor", "element", "term"),
            *("slope", "slope_low", "slope_high", "local_slope"),
        ]
    )
    for comparison in found:
        for result in comparison.results:
            fit, local = result.fit, {}
            for bound in result.upper_bounds:
                local[bound.system, bound.species] = bound.slopes
            terms = fit.predictor.name.split(",")
            intervals = iter(result.slope_intervals)
            for species in fit.species:
                for k, term in enumerate(terms):
                    interval = next(intervals)
                    for system in comparison.scored_on:
                        if (system, species) in local:
                            numbers = [interval.value, interval.low, interval.high]
                            numbers.append(local[system, species][k])
                            where = [" ".join(comparison.trained_on), system, fit.predictor.name]
                            where += [chemical_symbols[species], term]
                            writer.writerow([*where, *(f"{x:.6g}" for x in numbers)])
    return text.getvalue()


CORRELATE = Stage(
    name="correlate",
    help="Fit the shortcut on totals and compare it with the direct energies",
    settings=lambda config: config.correlate.model_dump(mode="json"),
    inputs=lambda run: {"labels": run.folder("label") / LABELS},
    work=_work,
    seed=lambda config: config.correlate.seed,
)
