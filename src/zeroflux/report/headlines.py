"""What was found, in plain words with numbers, for the top of the page and the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols

from zeroflux.correlation import ShortcutComparison
from zeroflux.evaluation import SpeciesScore
from zeroflux.evaluation.statistics import Estimate
from zeroflux.report.data import JudgedClaim, ModelResult, ReportData
from zeroflux.report.selection import baseline_name
from zeroflux.report.table import with_minus
from zeroflux.units import MILLIELECTRONVOLT

FEW_LABELS, FEW_SEEDS = 100, 10
"""Below these numbers the page asks to read the intervals."""


@dataclass(frozen=True)
class Headline:
    """One finding."""

    topic: str
    outcome: str
    """Short: a number with unit, or supported, refuted, undecided."""
    sentence: str
    details: tuple[str, ...] = ()
    """Further findings of the same kind, one line each."""
    basis: str = ""
    """What its interval is over."""

    @property
    def text(self) -> str:
        """The finding for a terminal: topic, outcome, sentence, and a line for each detail."""
        details = "".join(f"\n  {detail}" for detail in self.details)
        basis = f" {self.basis}" if self.basis else ""
        return f"{self.topic}: {self.outcome}. {self.sentence}{basis}{details}"


def headlines(data: ReportData) -> tuple[Headline, ...]:
    """Findings in the order of their weight; each says how much data stands behind it."""
    found: list[Headline | None] = [
        Headline(
            c.verdict.criterion.claim, c.verdict.outcome, _claim_sentence(c), c.details, c.basis
        )
        for c in data.claims
    ]
    found += [emergence(data), size_effect(data), shortcut(data), locality(data), evidence(data)]
    return tuple(headline for headline in found if headline is not None)


def evidence(data: ReportData) -> Headline:
    """Number of labels and seeds."""
    converged = sum(label.is_converged for label in data.labels)
    failed = len(data.labels) - converged
    seeds = _fewest_seeds(data)
    sentence = f"{_count(converged, 'labelled configuration')} of {_system_words(data.systems)}"
    sentence += f", {failed} more did not converge and were left out" if failed else ""
    if data.networks:
        sentence += (
            f"; {_count(len(data.networks), 'model')}, at least {_count(seeds, 'seed')} of each "
            f"size, scored on {_count(len(data.evaluated), 'configuration')} not trained on"
        )
    few = [
        text
        for text, is_few in (
            (f"fewer than {FEW_LABELS} labels", converged < FEW_LABELS),
            (f"fewer than {FEW_SEEDS} seeds at some size", 0 < seeds < FEW_SEEDS),
        )
        if is_few
    ]
    hint = f" With {' and '.join(few)}, intervals say more than values." if few else ""
    outcome = _count(converged, "configuration")
    if data.networks:
        outcome += f", {_count(len(data.networks), 'model')}"
    return Headline("What this rests on", outcome, f"{sentence}.{hint}")


def emergence(data: ReportData) -> Headline | None:
    """How well the best size decomposes, beside the baselines that know totals only."""
    networks = [m for m in data.main_networks if m.home_scores]
    if not networks:
        return None
    found = [
        _best_of(data, trained_on, [m for m in networks if m.trained_on == trained_on])
        for trained_on in dict.fromkeys(m.trained_on for m in networks)
    ]
    errors = [error for error, _ in found]
    outcome = (
        f"{errors[0]:.2f} meV"
        if len(errors) == 1
        else f"{min(errors):.1f} to {max(errors):.1f} meV"
    )
    if len(found) == 1:
        return Headline("Local energies from totals", outcome, f"Local error: {found[0][1]}")
    return Headline(
        "Local energies from totals",
        outcome,
        "Local error of the best model that saw totals only, on systems like those trained on.",
        tuple(text for _, text in found),
    )


def _best_of(
    data: ReportData, trained_on: str, networks: Sequence[ModelResult]
) -> tuple[float, str]:
    """Smallest mean error (meV) among sizes, and a sentence about it."""
    by_size: dict[tuple[str, int], list[ModelResult]] = {}
    for model in networks:
        by_size.setdefault((model.architecture, model.n_parameters), []).append(model)
    (architecture, size), best = min(
        by_size.items(), key=lambda item: float(np.mean([m.home_error for m in item[1]]))
    )
    errors = np.array([m.home_error for m in best]) / MILLIELECTRONVOLT
    pearson = [score.pearson.value for m in best for score in m.home_scores]
    scores = best[0].home_scores
    spread = np.sqrt(np.average([s.spread**2 for s in scores], weights=[s.n_atoms for s in scores]))
    scatter = (
        f" ± {errors.std(ddof=1):.2f} meV (standard deviation over {len(errors)} seeds)"
        if len(errors) > 1
        else " meV (one model)"
    )
    several = len({m.trained_on for m in data.networks}) > 1
    where = f"{trained_on}: " if several else ""
    sentence = (
        f"{where}{architecture} models of {size:,} parameters leave {errors.mean():.2f}{scatter} "
        f"of a spread of {spread / MILLIELECTRONVOLT:.1f} meV, mean r = {np.nanmean(pearson):.3f}."
    )
    levels = {
        baseline_name(m): m.home_error / MILLIELECTRONVOLT
        for m in data.models
        if m.is_baseline and (not several or m.trained_on == trained_on)
    }
    better = [name for name, error in levels.items() if error < float(errors.mean())]
    if better:
        named = " and ".join(f"{name} ({levels[name]:.1f} meV)" for name in better)
        sentence += f" With these data {named} does better."
    return float(errors.mean()), sentence


def size_effect(data: ReportData) -> Headline | None:
    """Change of the error with size: the mean over training sets and architectures."""
    if data.mean_slope is None:
        return None
    slope = data.mean_slope.mean
    is_open = not np.isfinite(slope.low) or slope.low <= 0 <= slope.high
    return Headline(
        "Error against size",
        "no clear trend" if is_open else ("rises" if slope.value > 0 else "falls"),
        f"Ten times the parameters change the local error by {_signed(slope.value)} meV "
        f"({_mev_range(slope)}).",
        tuple(
            f"{cell.trained_on}, {cell.architecture}: {_signed(cell.slope.slope.value)} meV "
            f"({_mev_range(cell.slope.slope)})"
            for cell in data.main_cells
        ),
    )


def shortcut(data: ReportData) -> Headline | None:
    """Chosen shortcut per comparison."""
    parts = []
    for comparison in data.shortcuts:
        if not comparison.results:
            continue
        best = comparison.best
        for score in best.scores:
            value = score.rmse.value / MILLIELECTRONVOLT
            parts.append(
                (
                    value,
                    f"{_place(comparison, score)}: {best.fit.predictor.name} leaves {value:.2f} of "
                    f"{score.spread / MILLIELECTRONVOLT:.1f} meV ({_mev_range(score.rmse)}), "
                    f"r = {score.pearson.value:.3f}; held-out R² of totals "
                    f"{best.held_out.r2:.3f}",
                )
            )
    if not parts:
        return None
    values = [value for value, _ in parts]
    outcome = (
        f"{values[0]:.1f} meV"
        if len(values) == 1
        else f"{min(values):.1f} to {max(values):.1f} meV"
    )
    return Headline(
        "Shortcut fitted on totals",
        outcome,
        "Local error of a component of the energy, scaled by slopes fitted on totals, in place of "
        "the whole.",
        tuple(text for _, text in parts),
    )


def _place(comparison: ShortcutComparison, score: SpeciesScore) -> str:
    """Where a shortcut was scored, and on what it was fitted if that is another system."""
    place = f"{score.system}, {chemical_symbols[score.species]}"
    if comparison.is_out_of_fold:
        return place
    return f"{place} (fitted on {', '.join(comparison.trained_on)})"


def locality(data: ReportData) -> Headline | None:
    """How local the basin energies are."""
    if not data.locality:
        return None
    parts = [
        f"{s.system}, {chemical_symbols[s.species]}: {s.rmse / MILLIELECTRONVOLT:.2f} of "
        f"{s.spread / MILLIELECTRONVOLT:.1f} meV"
        for s in data.locality
    ]
    return Headline(
        "Locality of the basin energy",
        f"r = {min(s.pearson for s in data.locality):.2f}",
        "Error of a linear model of radial functions of the neighbours, fitted to basin energies "
        "of the other configurations. The smaller it is, the better the energies can be learned.",
        tuple(parts),
    )


def _fewest_seeds(data: ReportData) -> int:
    """Smallest number of networks of one architecture, size and training set."""
    counts: dict[tuple[str, int, str], int] = {}
    for model in data.main_networks:
        key = (model.architecture, model.n_parameters, model.trained_on)
        counts[key] = counts.get(key, 0) + 1
    # Models without a random start come once each, and more seeds would change nothing.
    seeded = {key[0] for key, count in counts.items() if count > 1}
    return min((n for key, n in counts.items() if not seeded or key[0] in seeded), default=0)


def _claim_sentence(claim: JudgedClaim) -> str:
    """Effect and interval in words, against the criterion set beforehand."""
    scale = 1.0 / MILLIELECTRONVOLT if claim.unit else 1.0
    effect, criterion = claim.verdict.effect, claim.verdict.criterion
    if not np.isfinite(effect.value):
        return "The study has no data on this."
    value, low, high = (x * scale for x in (effect.value, effect.low, effect.high))
    limit = criterion.minimum_effect * scale
    wanted = "above" if criterion.direction == "positive" else "below"
    limit_text = _plain(limit if wanted == "above" else -limit)
    interval = (
        f"95 % interval {_plain(low)} to {_plain(high)}"
        if np.isfinite(low)
        else "too few data for an interval"
    )
    what = (
        f"Ten times the parameters change the local error by {_plain(value)} meV"
        if claim.unit
        else f"The partial rank correlation is {_plain(value)}"
    )
    return f"{what} ({interval}); the claim, set beforehand, needs all of it {wanted} {limit_text}."


def _system_words(systems: Sequence[str]) -> str:
    """Systems by name; of more than a few, the first and how many more."""
    if len(systems) <= 4:
        return ", ".join(systems)
    return f"{', '.join(systems[:3])} and {len(systems) - 3} more kinds of systems"


def _count(number: int, noun: str) -> str:
    """A number and its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _plain(value: float) -> str:
    """Two decimals; zero has no sign."""
    return with_minus(f"{round(value, 2) + 0.0:.2f}")


def _signed(value: float) -> str:
    """Signed meV."""
    return with_minus(f"{value / MILLIELECTRONVOLT:+.2f}")


def _mev_range(estimate: Estimate) -> str:
    """Interval in meV in words."""
    if not np.isfinite(estimate.low):
        return "too few data for an interval"
    low, high = _signed(estimate.low), _signed(estimate.high)
    if estimate.low >= 0:
        low, high = low.lstrip("+"), high.lstrip("+")
    return f"95 % interval {low} to {high} meV"
