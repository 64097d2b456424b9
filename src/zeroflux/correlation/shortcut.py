"""The shortcut: energies of atoms from a component of the energy, calibrated on totals only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from zeroflux.correlation.components import ComponentTable, Predictor
from zeroflux.correlation.regression import Method, Solution, solve
from zeroflux.errors import LabelError
from zeroflux.evaluation.statistics import Estimate, percentile_estimate

SpreadRule = Literal["even", "deviation", "none"]
KNOWN_TERMS = ("dispersion",)
"""Terms that need no partition (sums over pairs of atoms): taken as they are, not predicted."""


@dataclass(frozen=True, eq=False)
class TotalsProblem:
    """The regression that a shortcut solves, one row per configuration, per atom (hartree)."""

    predictors: Float[np.ndarray, "n_configurations n_slopes"]
    """Centred predictors summed over the atoms of a species and divided by N."""
    composition: Float[np.ndarray, "n_configurations n_species"]
    """Mole fractions."""
    energy: Float[np.ndarray, " n_configurations"]
    """Total energy less the known terms and the references, per atom."""
    full_energy: Float[np.ndarray, " n_configurations"]
    """Total energy less the references, per atom."""

    @property
    def n_unknowns(self) -> int:
        """Slopes, and offsets as far as the compositions tell them apart."""
        return self.predictors.shape[1] + int(np.linalg.matrix_rank(self.composition))


@dataclass(frozen=True, eq=False)
class ShortcutFit:
    """A calibrated shortcut, Ê_A = Σ_p a_sp (c_pA − c̄_sp) + b_s + known terms of A."""

    predictor: Predictor
    species: tuple[int, ...]
    slopes: Float[np.ndarray, "n_species n_predictors"]
    centres: Float[np.ndarray, "n_species n_predictors"]
    """Means c̄ of the predictors over the atoms of a species in the training set (hartree)."""
    offsets: Float[np.ndarray, " n_species"]
    """Energies b of an atom with mean predictors (hartree)."""
    known_terms: tuple[str, ...]
    method: Method
    n_configurations: int
    n_coefficients: int
    rank: int
    """Coefficients the totals determine; below `n_coefficients` the rest is minimum-norm."""
    residual_rms: float
    """Root-mean-square misfit of the training totals per atom (hartree)."""

    @property
    def is_degenerate(self) -> bool:
        """Whether some coefficients are a convention rather than a result."""
        return self.rank < self.n_coefficients

    @property
    def note(self) -> str:
        """What a reader of the coefficients must know, in plain words; empty if nothing."""
        if not self.is_degenerate:
            return ""
        return (
            f"{self.n_coefficients - self.rank} of {self.n_coefficients} coefficients are not "
            "determined by these totals (with one composition only the sum of the species' "
            "offsets is); the solution of smallest norm was taken, so compare energies within a "
            "species only."
        )


@dataclass(frozen=True, eq=False)
class ShortcutEnergies:
    """Per-atom energies by a shortcut (hartree)."""

    local_energy: Float[np.ndarray, " n_atoms"]
    """After the sum-rule residual was spread back."""
    sum_rule_residual: Float[np.ndarray, " n_configurations"]
    """Sum of the energies before that, less the total energy."""
    spread_rule: SpreadRule


def totals_problem(
    table: ComponentTable,
    predictor: Predictor,
    *,
    species: tuple[int, ...],
    centres: Float[np.ndarray, "n_species n_predictors"],
    known_terms: tuple[str, ...] = KNOWN_TERMS,
    shared_slopes: bool = False,
    references: Mapping[int, float] | None = None,
) -> TotalsProblem:
    r"""Rows of the regression for the totals of a table.

    .. math:: E/N - \sum_{known} = \sum_{s,p} a_{sp} \sum_{A \in s} (c_{pA} - \bar c_{sp})/N
              + \sum_s b_s x_s

    No per-atom energy enters. Summing the predictor by species needs the basins (or any other
    partition) of the predictor; with `shared_slopes` one slope serves all species, so that only
    the totals of predictor and energy are needed.
    """
    n_atoms = table.n_atoms_per_configuration
    values = predictor.values(table)
    columns, fractions = [], []
    for index, number in enumerate(species):
        own = table.species == number
        fractions.append(table.totals(own.astype(np.float64)) / n_atoms)
        centred = np.where(own[:, None], values - centres[index], 0.0)
        columns.append(np.column_stack([table.totals(column) for column in centred.T]))
    by_species = np.stack(columns, axis=1) / n_atoms[:, None, None]
    predictors = by_species.sum(axis=1) if shared_slopes else by_species.reshape(len(n_atoms), -1)
    composition = np.column_stack(fractions)
    reference = np.zeros(len(species))
    if references is not None:
        reference = np.array([references[number] for number in species])
    full = table.total_energy / n_atoms - composition @ reference
    known = sum((table.totals(table.component(term)) for term in known_terms), np.zeros(len(full)))
    return TotalsProblem(predictors, composition, full - known / n_atoms, full)


def fit_shortcut(
    table: ComponentTable,
    predictor: Predictor,
    *,
    method: Method = "ols",
    noise_ratio: float = 1.0,
    shared_slopes: bool = False,
    known_terms: tuple[str, ...] = KNOWN_TERMS,
    references: Mapping[int, float] | None = None,
) -> ShortcutFit:
    """Calibrate a shortcut on the totals of a table; basin energies are not read.

    Parameters
    ----------
    table
        Components and totals of the training configurations.
    predictor
        What the energy is predicted from.
    method
        ``"ols"``, ``"huber"`` (outliers) or ``"tls"`` (noise in the predictor).
    noise_ratio
        Noise of the predictor over that of the energy, for ``"tls"``.
    shared_slopes
        One slope for all species instead of one each.
    known_terms
        Components that are taken as they are and added to the prediction.
    references
        Energies of the isolated atoms (hartree) from which undetermined offsets deviate least.

    Raises
    ------
    LabelError
        If there are fewer configurations than unknowns.
    """
    species = table.species_present
    values = predictor.values(table)
    centres = np.array([values[table.species == number].mean(axis=0) for number in species])
    problem = totals_problem(
        table,
        predictor,
        species=species,
        centres=centres,
        known_terms=known_terms,
        shared_slopes=shared_slopes,
        references=references,
    )
    check_enough(problem, predictor)
    solution = solve(
        problem.predictors,
        problem.composition,
        problem.energy,
        method=method,
        noise_ratio=noise_ratio,
    )
    return shortcut_from_solution(
        solution,
        problem,
        predictor=predictor,
        species=species,
        centres=centres,
        known_terms=known_terms,
        method=method,
        references=references,
    )


def shortcut_from_solution(
    solution: Solution,
    problem: TotalsProblem,
    *,
    predictor: Predictor,
    species: tuple[int, ...],
    centres: Float[np.ndarray, "n_species n_predictors"],
    known_terms: tuple[str, ...],
    method: Method,
    references: Mapping[int, float] | None = None,
) -> ShortcutFit:
    """Record of a solved regression, slopes by species and offsets with their references."""
    n_predictors = len(predictor.combinations)
    is_shared = len(solution.slopes) == n_predictors and len(species) > 1
    slopes = (
        np.tile(solution.slopes, (len(species), 1))
        if is_shared
        else solution.slopes.reshape(len(species), n_predictors)
    )
    reference = np.array([(references or {}).get(number, 0.0) for number in species])
    fitted = problem.predictors @ solution.slopes + problem.composition @ solution.offsets
    return ShortcutFit(
        predictor=predictor,
        species=species,
        slopes=slopes,
        centres=centres,
        offsets=solution.offsets + reference,
        known_terms=known_terms,
        method=method,
        n_configurations=len(problem.energy),
        n_coefficients=len(solution.slopes) + len(solution.offsets),
        rank=solution.rank,
        residual_rms=float(np.sqrt(np.mean((problem.energy - fitted) ** 2))),
    )


def shortcut_energies(
    fit: ShortcutFit, table: ComponentTable, *, spread_rule: SpreadRule = "even"
) -> ShortcutEnergies:
    r"""Apply a shortcut atom by atom and restore the sum rule.

    The residual :math:`R = \sum_A \hat E_A - E` is recorded and then taken back: ``"even"`` gives
    every atom −R/N; ``"deviation"`` shares it in proportion to the squared deviation of Ê_A from
    the mean of its species in the configuration, so that typical atoms are left alone; ``"none"``
    leaves it in.

    Raises
    ------
    LabelError
        If the table holds a species the shortcut was not calibrated for.
    """
    unknown = sorted(set(table.species_present) - set(fit.species))
    if unknown:
        raise LabelError(
            f"Found atomic numbers {unknown}; this shortcut was calibrated for "
            f"{list(fit.species)} only. Calibrate it on configurations that hold all species."
        )
    row = np.searchsorted(fit.species, table.species)
    deviation = fit.predictor.values(table) - fit.centres[row]
    energy = (fit.slopes[row] * deviation).sum(axis=1) + fit.offsets[row]
    for term in fit.known_terms:
        energy = energy + table.component(term)
    residual = table.totals(energy) - table.total_energy
    weight = _spread_weights(energy, table, row, spread_rule)
    return ShortcutEnergies(energy - weight * residual[table.configuration], residual, spread_rule)


def bootstrap_slopes(
    problem: TotalsProblem,
    *,
    method: Method = "ols",
    noise_ratio: float = 1.0,
    n_bootstrap: int = 200,
    rng: np.random.Generator,
    confidence: float = 0.95,
) -> tuple[Estimate, ...]:
    """Slopes with percentile intervals from resampled configurations.

    A resample with too few different configurations for the unknowns is left out.
    """
    n_rows = len(problem.energy)
    replicates = np.full((n_bootstrap, problem.predictors.shape[1]), np.nan)
    for index, draw in enumerate(rng.integers(n_rows, size=(n_bootstrap, n_rows))):
        if len(np.unique(draw)) < problem.n_unknowns:
            continue
        replicates[index] = solve(
            problem.predictors[draw],
            problem.composition[draw],
            problem.energy[draw],
            method=method,
            noise_ratio=noise_ratio,
        ).slopes
    point = solve(
        problem.predictors,
        problem.composition,
        problem.energy,
        method=method,
        noise_ratio=noise_ratio,
    ).slopes
    return tuple(
        percentile_estimate(float(value), column, confidence=confidence)
        for value, column in zip(point, replicates.T, strict=True)
    )


def check_enough(problem: TotalsProblem, predictor: Predictor) -> None:
    """Refuse a regression with fewer rows than unknowns."""
    if len(problem.energy) < problem.n_unknowns:
        raise LabelError(
            f"Found {len(problem.energy)} configurations for the {problem.n_unknowns} coefficients "
            f"of predictor {predictor.name!r}; expected at least as many. Label more "
            "configurations, use fewer predictors, or share slopes between species."
        )


def _spread_weights(
    energy: np.ndarray, table: ComponentTable, row: np.ndarray, rule: SpreadRule
) -> np.ndarray:
    """Share of each atom in its configuration's residual; shares sum to one (or to zero)."""
    if rule == "none":
        return np.zeros(len(energy))
    even = 1.0 / table.n_atoms_per_configuration[table.configuration]
    if rule == "even":
        return even
    group = table.configuration * (row.max() + 1) + row
    mean = np.bincount(group, weights=energy) / np.maximum(np.bincount(group), 1)
    square = (energy - mean[group]) ** 2
    total = table.totals(square)[table.configuration]
    return np.where(total > 1e-24, square / np.where(total > 1e-24, total, 1.0), even)
