"""Shortcuts judged: held-out totals choose them, direct basin energies score them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, Int

from zeroflux.correlation.components import STANDARD_PREDICTORS, ComponentTable, Predictor
from zeroflux.correlation.regression import Method, solve
from zeroflux.correlation.shortcut import (
    KNOWN_TERMS,
    ShortcutFit,
    SpreadRule,
    TotalsProblem,
    bootstrap_slopes,
    check_enough,
    fit_shortcut,
    shortcut_energies,
    totals_problem,
)
from zeroflux.errors import LabelError
from zeroflux.evaluation.scores import SpeciesScore, local_scores
from zeroflux.evaluation.statistics import Estimate


@dataclass(frozen=True)
class HeldOut:
    """Prediction of totals that took no part in the fit."""

    r2: float
    """1 − (squared error)/(squared error of a prediction from composition alone)."""
    rmse: float
    """Root-mean-square error per atom (hartree)."""
    n_folds: int


@dataclass(frozen=True)
class LocalFit:
    """The same predictor fitted to the basin energies themselves, without the sum rule.

    It bounds the error of any fit to totals before its residual is spread; the spreading uses the
    total, so that afterwards a poor predictor may come out slightly below.
    """

    system: str
    species: int
    slopes: tuple[float, ...]
    rmse: float
    """In-sample, centred (hartree)."""


@dataclass(frozen=True, eq=False)
class ShortcutResult:
    """One shortcut with all that is known of it."""

    fit: ShortcutFit
    held_out: HeldOut
    slope_intervals: tuple[Estimate, ...]
    """Bootstrap intervals of the slopes: species by species, predictors within."""
    sum_rule_rms: float
    """Root-mean-square sum-rule residual per atom before it was spread back (hartree)."""
    spread_rule: SpreadRule
    scores: tuple[SpeciesScore, ...]
    """Against the direct basin energies, by system and species."""
    upper_bounds: tuple[LocalFit, ...]
    local_energy: Float[np.ndarray, " n_atoms"]
    """Energies of the atoms of the scored table, in its order (hartree)."""


@dataclass(frozen=True, eq=False)
class ShortcutComparison:
    """All shortcuts tried on one training set, best held-out error first."""

    trained_on: tuple[str, ...]
    """Systems of the training configurations."""
    scored_on: tuple[str, ...]
    is_out_of_fold: bool
    """Whether training and scored set are the same, each configuration scored by a fit without
    it; otherwise the scored set is another one."""
    results: tuple[ShortcutResult, ...]
    skipped: tuple[tuple[str, str], ...]
    """Names of predictors that could not be fitted, with the reason."""

    @property
    def best(self) -> ShortcutResult:
        """The shortcut with the smallest held-out error of totals; basin energies have no say."""
        if not self.results:
            raise LabelError(
                "No shortcut could be fitted: "
                + "; ".join(f"{name}: {reason}" for name, reason in self.skipped)
            )
        return self.results[0]


def fold_indices(
    n_configurations: int, n_folds: int, rng: np.random.Generator
) -> Int[np.ndarray, " n_configurations"]:
    """Fold of each configuration, of sizes as equal as can be, at random."""
    if not 2 <= n_folds <= n_configurations:
        raise ValueError(
            f"Found {n_folds} folds for {n_configurations} configurations; expected from 2 to "
            f"{n_configurations}. Change the number of folds or label more configurations."
        )
    return rng.permutation(np.arange(n_configurations) % n_folds)


def held_out(
    problem: TotalsProblem,
    folds: Int[np.ndarray, " n_configurations"],
    *,
    method: Method = "ols",
    noise_ratio: float = 1.0,
) -> HeldOut:
    """Predict the totals of each fold from the others.

    R² is measured against a prediction from the mole fractions alone (for one composition: the
    mean), because in a set of several compositions nearly all variance lies between them.
    """
    error, baseline = np.empty(len(folds)), np.empty(len(folds))
    for fold in np.unique(folds):
        test, train = folds == fold, folds != fold
        solution = solve(
            problem.predictors[train],
            problem.composition[train],
            problem.energy[train],
            method=method,
            noise_ratio=noise_ratio,
        )
        error[test] = problem.energy[test] - (
            problem.predictors[test] @ solution.slopes
            + problem.composition[test] @ solution.offsets
        )
        offsets = np.linalg.lstsq(
            problem.composition[train], problem.full_energy[train], rcond=None
        )[0]
        baseline[test] = problem.full_energy[test] - problem.composition[test] @ offsets
    return HeldOut(
        r2=float(1.0 - (error @ error) / (baseline @ baseline)) if baseline.any() else float("nan"),
        rmse=float(np.sqrt(np.mean(error**2))),
        n_folds=len(np.unique(folds)),
    )


def fit_locally(
    table: ComponentTable, predictor: Predictor, *, known_terms: tuple[str, ...] = KNOWN_TERMS
) -> tuple[LocalFit, ...]:
    """Regress basin energies on the predictor, per system and species.

    The bound against which a fit to totals is judged; it reads the basin energies.
    """
    values = predictor.values(table)
    target = table.basin_energy - sum(
        (table.component(term) for term in known_terms), np.zeros(len(table.species))
    )
    system_of_atom = np.array(table.systems)[table.configuration]
    fits = []
    for system in dict.fromkeys(table.systems):
        for number in np.unique(table.species[system_of_atom == system]):
            own = (system_of_atom == system) & (table.species == number)
            x = values[own] - values[own].mean(axis=0)
            y = target[own] - target[own].mean()
            solution = solve(x, np.ones((len(x), 1)), y)
            rmse = float((y - x @ solution.slopes).std())
            fits.append(LocalFit(system, int(number), tuple(map(float, solution.slopes)), rmse))
    return tuple(fits)


def compare_shortcuts(
    train: ComponentTable,
    test: ComponentTable | None = None,
    *,
    predictors: Sequence[Predictor] = STANDARD_PREDICTORS,
    method: Method = "ols",
    noise_ratio: float = 1.0,
    shared_slopes: bool = False,
    known_terms: tuple[str, ...] = KNOWN_TERMS,
    references: Mapping[int, float] | None = None,
    spread_rule: SpreadRule = "even",
    n_folds: int = 5,
    n_bootstrap: int = 200,
    rng: np.random.Generator,
) -> ShortcutComparison:
    """Fit every predictor on the totals of `train` and score it atom by atom.

    Without `test`, each training configuration is scored by the fit to the other folds. The
    result is ordered by the held-out error of the totals.

    Parameters
    ----------
    train, test
        Configurations to calibrate on and to score.
    predictors
        What to try.
    method, noise_ratio, shared_slopes, known_terms, references
        As in `fit_shortcut`.
    spread_rule
        As in `shortcut_energies`.
    n_folds
        Parts of the training set in the cross-validation.
    n_bootstrap
        Resamples for the intervals.
    rng
        Source of folds and resamples.
    """
    folds = fold_indices(train.n_configurations, min(n_folds, train.n_configurations), rng)
    scored = train if test is None else test
    fit_with_options = partial(
        fit_shortcut,
        method=method,
        noise_ratio=noise_ratio,
        shared_slopes=shared_slopes,
        known_terms=known_terms,
        references=references,
    )
    results, skipped = [], []
    for candidate in predictors:
        try:
            fit = fit_with_options(train, candidate)
            problem = totals_problem(
                train,
                candidate,
                species=fit.species,
                centres=fit.centres,
                known_terms=known_terms,
                shared_slopes=shared_slopes,
                references=references,
            )
            _check_folds(problem, folds, candidate)
            if test is None:
                energy, residual = _out_of_fold(
                    train, candidate, folds, spread_rule, fit_with_options
                )
            else:
                applied = shortcut_energies(fit, test, spread_rule=spread_rule)
                energy, residual = applied.local_energy, applied.sum_rule_residual
        except LabelError as error:
            skipped.append((candidate.name, str(error)))
            continue
        results.append(
            ShortcutResult(
                fit=fit,
                held_out=held_out(problem, folds, method=method, noise_ratio=noise_ratio),
                slope_intervals=bootstrap_slopes(
                    problem,
                    method=method,
                    noise_ratio=noise_ratio,
                    n_bootstrap=n_bootstrap,
                    rng=rng,
                ),
                sum_rule_rms=float(
                    np.sqrt(np.mean((residual / scored.n_atoms_per_configuration) ** 2))
                ),
                spread_rule=spread_rule,
                scores=local_scores(
                    local_energy=energy,
                    reference=scored.basin_energy,
                    species=scored.species,
                    configuration=scored.configuration,
                    systems=scored.systems,
                    n_bootstrap=n_bootstrap,
                    rng=rng,
                ),
                upper_bounds=fit_locally(scored, candidate, known_terms=known_terms),
                local_energy=energy,
            )
        )
    return ShortcutComparison(
        trained_on=tuple(dict.fromkeys(train.systems)),
        scored_on=tuple(dict.fromkeys(scored.systems)),
        is_out_of_fold=test is None,
        results=tuple(sorted(results, key=lambda result: result.held_out.rmse)),
        skipped=tuple(skipped),
    )


def _check_folds(problem: TotalsProblem, folds: np.ndarray, candidate: Predictor) -> None:
    """Refuse a cross-validation whose smallest training part cannot determine the fit."""
    for fold in np.unique(folds):
        kept = folds != fold
        check_enough(
            TotalsProblem(
                problem.predictors[kept],
                problem.composition[kept],
                problem.energy[kept],
                problem.full_energy[kept],
            ),
            candidate,
        )


def _out_of_fold(
    table: ComponentTable,
    candidate: Predictor,
    folds: np.ndarray,
    spread_rule: SpreadRule,
    fit_subset: Callable[[ComponentTable, Predictor], ShortcutFit],
) -> tuple[np.ndarray, np.ndarray]:
    """Per-atom energies and residuals of each configuration from the fit to the other folds."""
    energy = np.empty(len(table.species))
    residual = np.empty(table.n_configurations)
    for fold in np.unique(folds):
        test = np.flatnonzero(folds == fold)
        fit = fit_subset(table.subset(np.flatnonzero(folds != fold)), candidate)
        applied = shortcut_energies(fit, table.subset(test), spread_rule=spread_rule)
        # Rows of a subset follow its configurations; find where they live in the whole table.
        rows = np.concatenate([np.flatnonzero(table.configuration == k) for k in test])
        energy[rows] = applied.local_energy
        residual[test] = applied.sum_rule_residual
    return energy, residual
