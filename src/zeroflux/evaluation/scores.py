"""How well per-atom energies follow a reference decomposition, per system and species.

Absolute offsets between species are a gauge at fixed composition, so every local error here is
*centred*: the mean difference of a species in a system is taken out first and reported apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from zeroflux.evaluation.statistics import (
    Estimate,
    percentile_estimate,
    resampling_counts,
    spearman,
)


@dataclass(frozen=True)
class SpeciesScore:
    """Local energies of one species in one system against their reference (hartree)."""

    system: str
    species: int
    """Atomic number."""
    n_atoms: int
    n_configurations: int
    """Configurations that hold the species: the number of independent observations."""
    spread: float
    """Standard deviation of the reference over the atoms."""
    rmse: Estimate
    """Root-mean-square difference after centring."""
    slope: Estimate
    """Regression slope of the scored energy on the reference; 1 is perfect, 0 is no response."""
    pearson: Estimate
    """Pearson correlation over the atoms."""
    r2: Estimate
    """1 − rmse²/spread²; negative when worse than the mean."""
    rank_within: Estimate
    """Spearman correlation among the atoms of one configuration, averaged over them."""
    offset: float
    """Mean of scored less reference energy: the gauge that was taken out."""


@dataclass(frozen=True)
class TotalScore:
    """Errors of the total energy per atom (hartree) in one system."""

    system: str
    n_configurations: int
    rmse: Estimate
    mae: Estimate
    mean_error: float
    centred_rmse: Estimate
    """Root-mean-square error after the mean error of the system is taken out."""


def local_scores(
    *,
    local_energy: Float[np.ndarray, " n_atoms"],
    reference: Float[np.ndarray, " n_atoms"],
    species: Int[np.ndarray, " n_atoms"],
    configuration: Int[np.ndarray, " n_atoms"],
    systems: Sequence[str],
    n_bootstrap: int = 1000,
    rng: np.random.Generator,
    confidence: float = 0.95,
) -> tuple[SpeciesScore, ...]:
    r"""Score per-atom energies of many configurations at once, by system and species.

    With :math:`d_A = \hat E_A - E_A` and bars for means over the atoms of a species in a system:
    rmse² = ⟨(d − d̄)²⟩, slope = cov(Ê, E)/var(E), offset = d̄.

    Parameters
    ----------
    local_energy
        Energies to be scored, atoms of all configurations one after the other (hartree).
    reference
        What they should be, for example basin energies (hartree).
    species
        Atomic numbers.
    configuration
        Which configuration an atom belongs to, an index into `systems`.
    systems
        Name of the system of each configuration, such as ``"argon"``.
    n_bootstrap
        Bootstrap samples; configurations are resampled, since atoms of one are not independent.
    rng
        Source of the bootstrap samples.
    confidence
        Coverage of the intervals.

    Raises
    ------
    ValueError
        If lengths differ, a configuration index has no system, or an energy is not finite.
    """
    _check_atoms(local_energy, reference, species, configuration, len(systems))
    system_of_atom = np.asarray(systems)[configuration]
    scores = []
    for system in dict.fromkeys(systems):
        for number in np.unique(species[system_of_atom == system]):
            chosen = (system_of_atom == system) & (species == number)
            scores.append(
                _species_score(
                    str(system),
                    int(number),
                    local_energy[chosen],
                    reference[chosen],
                    configuration[chosen],
                    resample=(n_bootstrap, rng, confidence),
                )
            )
    return tuple(scores)


def total_scores(
    *,
    predicted: Float[np.ndarray, " n_configurations"],
    reference: Float[np.ndarray, " n_configurations"],
    n_atoms: Int[np.ndarray, " n_configurations"],
    systems: Sequence[str],
    n_bootstrap: int = 1000,
    rng: np.random.Generator,
    confidence: float = 0.95,
) -> tuple[TotalScore, ...]:
    """Errors of total energies per atom by system, with intervals over configurations.

    Energies are those of the cells (hartree); the errors are per atom.
    """
    error = (predicted - reference) / n_atoms
    names = np.asarray(systems)
    scores = []
    for system in dict.fromkeys(systems):
        own = error[names == system]
        counts = resampling_counts(len(own), n_bootstrap, rng)
        mean = counts @ own / len(own)
        square = counts @ own**2 / len(own)
        centred = np.sqrt(np.maximum(square - mean**2, 0.0)) if len(own) > 1 else np.full(1, np.nan)

        def with_interval(value: float, replicates: np.ndarray) -> Estimate:
            return percentile_estimate(float(value), replicates, confidence=confidence)

        scores.append(
            TotalScore(
                system=str(system),
                n_configurations=len(own),
                rmse=with_interval(float(np.sqrt(np.mean(own**2))), np.sqrt(square)),
                mae=with_interval(float(np.mean(np.abs(own))), counts @ np.abs(own) / len(own)),
                mean_error=float(own.mean()),
                centred_rmse=with_interval(float(own.std()), centred),
            )
        )
    return tuple(scores)


def mean_energy_baseline(
    total_energy: Float[np.ndarray, " n_configurations"],
    configuration: Int[np.ndarray, " n_atoms"],
    *,
    species: Int[np.ndarray, " n_atoms"] | None = None,
) -> Float[np.ndarray, " n_atoms"]:
    """Baseline that knows totals only: every atom of a configuration gets E/N.

    With ``species`` (atomic numbers) an energy per element, by regression of the totals on the
    composition, is taken out first and given back: over several compositions E/N itself says more
    about the composition than about the atoms.
    """
    n_configurations = len(total_energy)
    n_atoms = np.maximum(np.bincount(configuration, minlength=n_configurations), 1)
    if species is None:
        return (total_energy / n_atoms)[configuration]
    numbers, code = np.unique(species, return_inverse=True)
    counts = np.zeros((n_configurations, len(numbers)))
    np.add.at(counts, (configuration, code), 1.0)
    of_element = np.linalg.lstsq(counts / n_atoms[:, None], total_energy / n_atoms, rcond=None)[0]
    rest = (total_energy - counts @ of_element) / n_atoms
    return of_element[code] + rest[configuration]


def random_split_baseline(
    total_energy: Float[np.ndarray, " n_configurations"],
    configuration: Int[np.ndarray, " n_atoms"],
    *,
    spread: float,
    rng: np.random.Generator,
    species: Int[np.ndarray, " n_atoms"] | None = None,
) -> Float[np.ndarray, " n_atoms"]:
    """Baseline with the right totals and spread and nothing else: E/N plus noise summing to 0.

    ``species`` as in `mean_energy_baseline`.
    """
    noise = rng.normal(scale=spread, size=len(configuration))
    n_atoms = np.bincount(configuration, minlength=len(total_energy))
    mean = np.bincount(configuration, weights=noise, minlength=len(total_energy))
    mean = mean / np.maximum(n_atoms, 1)
    base = mean_energy_baseline(total_energy, configuration, species=species)
    return base + noise - mean[configuration]


def _species_score(
    system: str,
    number: int,
    scored: np.ndarray,
    reference: np.ndarray,
    configuration: np.ndarray,
    *,
    resample: tuple[int, np.random.Generator, float],
) -> SpeciesScore:
    """Score of one species in one system."""
    n_bootstrap, rng, confidence = resample
    present, unit = np.unique(configuration, return_inverse=True)
    # Sums of centred values: totals of thousands of eV would swamp differences of meV.
    x = reference - reference.mean()
    y = scored - scored.mean()
    moments = np.column_stack(
        [
            np.bincount(unit, weights=weights, minlength=len(present))
            for weights in (np.ones_like(x), x, y, x * x, y * y, x * y)
        ]
    )
    counts = resampling_counts(len(present), n_bootstrap, rng)
    rmse, slope, pearson, r2 = _moment_statistics(counts @ moments)
    value = _moment_statistics(moments.sum(axis=0)[None])
    ranks = np.array(
        [_rank_correlation(scored[unit == k], reference[unit == k]) for k in range(len(present))]
    )
    defined = np.isfinite(ranks)
    rank_value = float(ranks[defined].mean()) if defined.any() else float("nan")
    weights = counts * defined
    with np.errstate(invalid="ignore", divide="ignore"):
        rank_replicates = weights @ np.where(defined, ranks, 0.0) / weights.sum(axis=1)

    def with_interval(point: float, replicates: np.ndarray) -> Estimate:
        if len(present) < 2:  # one configuration says nothing of the spread over them
            replicates = np.full(1, np.nan)
        return percentile_estimate(float(point), replicates, confidence=confidence)

    return SpeciesScore(
        system=system,
        species=number,
        n_atoms=len(x),
        n_configurations=len(present),
        spread=float(reference.std()),
        rmse=with_interval(value[0][0], rmse),
        slope=with_interval(value[1][0], slope),
        pearson=with_interval(value[2][0], pearson),
        r2=with_interval(value[3][0], r2),
        rank_within=with_interval(rank_value, rank_replicates),
        offset=float(scored.mean() - reference.mean()),
    )


def _moment_statistics(moments: np.ndarray) -> tuple[np.ndarray, ...]:
    """(rmse, slope, pearson, r²) from rows of n, Σx, Σy, Σx², Σy², Σxy."""
    n, x, y, xx, yy, xy = moments.T
    var_x = np.maximum(xx / n - (x / n) ** 2, 0.0)
    var_y = np.maximum(yy / n - (y / n) ** 2, 0.0)
    cov = xy / n - x * y / n**2
    rmse2 = np.maximum(var_x + var_y - 2.0 * cov, 0.0)
    # A spread at the level of rounding is no spread: E/N over equal configurations, one atom.
    tiny = 1e-24
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.where(var_x > tiny, cov / var_x, np.nan)
        pearson = np.where((var_x > tiny) & (var_y > tiny), cov / np.sqrt(var_x * var_y), np.nan)
        r2 = np.where(var_x > tiny, 1.0 - rmse2 / var_x, np.nan)
    return np.sqrt(rmse2), slope, np.clip(pearson, -1.0, 1.0), r2


def _rank_correlation(scored: np.ndarray, reference: np.ndarray) -> float:
    """Spearman correlation in one configuration; NaN for fewer than 3 atoms or equal energies."""
    # Differences below 1e-12 hartree are rounding: E/N has no order among its atoms.
    if len(scored) < 3 or np.ptp(scored) < 1e-12 or np.ptp(reference) < 1e-12:
        return float("nan")
    return spearman(scored, reference)


def _check_atoms(
    local_energy: np.ndarray,
    reference: np.ndarray,
    species: np.ndarray,
    configuration: np.ndarray,
    n_configurations: int,
) -> None:
    """Refuse arrays that do not describe the same atoms."""
    lengths = {len(local_energy), len(reference), len(species), len(configuration)}
    if len(lengths) != 1:
        raise ValueError(
            f"Found per-atom arrays of lengths {sorted(lengths)}; expected one length. "
            "Concatenate the same configurations in the same order."
        )
    if configuration.size and not (
        configuration.min() >= 0 and configuration.max() < n_configurations
    ):
        raise ValueError(
            f"Found configuration indices {configuration.min()} to {configuration.max()}; expected "
            f"0 to {n_configurations - 1}. Name the system of every configuration."
        )
    n_bad = int((~np.isfinite(local_energy)).sum() + (~np.isfinite(reference)).sum())
    if n_bad:
        raise ValueError(
            f"Found {n_bad} energies that are not finite; expected none. "
            "Leave out unconverged configurations."
        )
