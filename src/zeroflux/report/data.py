"""What a report shows, gathered in one record of plain arrays (atomic units throughout)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float

from zeroflux.correlation import ShortcutComparison
from zeroflux.errors import ArtifactError
from zeroflux.evaluation import (
    Achieved,
    Ambiguity,
    Association,
    BestSize,
    Checkpoint,
    LocalityScore,
    NoiseFloors,
    PooledEffect,
    ReceptiveField,
    RigidityProfile,
    SizeRegression,
    SpeciesScore,
    TotalScore,
    Verdict,
)
from zeroflux.labels import Label, system_name


@dataclass(frozen=True, eq=False)
class ModelResult:
    """One trained network, or a baseline, on the evaluated configurations."""

    name: str
    architecture: str
    n_parameters: int
    seed: int
    trained_on: str
    """Name of the training set, such as ``"argon"``."""
    local_energy: Float[np.ndarray, " n_evaluated_atoms"]
    """Per-atom energies of the evaluated labels, one after the other (hartree)."""
    scores: tuple[SpeciesScore, ...] = ()
    totals: tuple[TotalScore, ...] = ()
    is_baseline: bool = False
    """Whether it is a yardstick rather than a subject of the study."""
    home_systems: tuple[str, ...] = ()
    """Evaluated systems like those it was trained on; all if empty. The others are transfer."""
    n_training_configurations: int = 0
    """Totals it was trained on; 0 if unknown."""
    target: str = "total"
    """What it was trained on: ``"total"``; else a control, such as ``"local"`` (basin energies)."""
    size: int = 0
    """Number of parameters asked for: sizes of different architectures that belong together."""

    def is_home(self, system: str) -> bool:
        """Whether a system is like those of the training set."""
        return not self.home_systems or system in self.home_systems

    @property
    def home_scores(self) -> tuple[SpeciesScore, ...]:
        """Scores on the systems it was trained for."""
        return tuple(score for score in self.scores if self.is_home(score.system))

    @property
    def home_error(self) -> float:
        """Centred local error over those systems (hartree)."""
        return pooled_rmse(self.home_scores)

    @property
    def home_total_error(self) -> float:
        """Centred error of totals per atom over those systems (hartree)."""
        used = [score for score in self.totals if self.is_home(score.system)]
        if not used:
            return float("nan")
        weight = np.array([score.n_configurations for score in used], dtype=np.float64)
        square = np.array([score.centred_rmse.value**2 for score in used])
        return float(np.sqrt(weight @ square / weight.sum()))


@dataclass(frozen=True, eq=False)
class EnergyTrace:
    """Potential energy per atom along a sampling run (hartree)."""

    name: str
    step: Float[np.ndarray, " n_steps"]
    energy_per_atom: Float[np.ndarray, " n_steps"]


@dataclass(frozen=True, eq=False)
class RadialDistribution:
    """Radial distribution function of a system."""

    name: str
    distance: Float[np.ndarray, " n_bins"]
    """Centres of the bins (bohr)."""
    g: Float[np.ndarray, " n_bins"]


@dataclass(frozen=True, eq=False)
class DimerCurve:
    """Interaction energy of two atoms against their distance, by one method."""

    pair: str
    """Such as ``"Ar₂"`` or ``"ArKr"``."""
    method: str
    distance: Float[np.ndarray, " n_points"]
    """Distances (bohr)."""
    energy: Float[np.ndarray, " n_points"]
    """Energy less that of the isolated atoms (hartree)."""
    trained_on: str = ""
    """Training set of a network."""
    n_parameters: int = 0
    """Its size; 0 for the reference."""


@dataclass(frozen=True)
class SizeCell:
    """The effect of size for one architecture on one training set."""

    trained_on: str
    architecture: str
    n_training: int
    slope: SizeRegression
    """Local error on log size (hartree per decade)."""
    slope_at_equal_totals: SizeRegression | None
    """The same with the error of totals as a covariate."""
    best: BestSize


@dataclass(frozen=True)
class SeedAmbiguity:
    """Differences between the seeds of one size."""

    trained_on: str
    architecture: str
    n_parameters: int
    found: Ambiguity


@dataclass(frozen=True, eq=False)
class Reach:
    """How far one network looks."""

    trained_on: str
    architecture: str
    n_parameters: int
    field: ReceptiveField
    size: int = 0
    """Number of parameters asked for."""


@dataclass(frozen=True)
class JudgedClaim:
    """A claim with its verdict and the unit its effect is shown in."""

    verdict: Verdict
    effect: Literal["size_slope", "size_slope_at_equal_totals", "fidelity_transfer"] = "size_slope"
    unit: Literal["meV per decade", ""] = ""
    """``"meV per decade"`` if the effect is in hartree per decade of parameters."""
    basis: str = ""
    """What the interval is over, as a sentence."""
    details: tuple[str, ...] = ()
    """The effect group by group, one line each."""


@dataclass(frozen=True, eq=False)
class ReportData:
    """Everything a report may show; what is empty is left out of the page.

    Raises
    ------
    ArtifactError
        If a model has another number of energies than the evaluated labels have atoms.
    """

    title: str
    labels: Sequence[Label]
    evaluated: Sequence[int] = ()
    """Indices of the labels that the models were scored on."""
    places: Sequence[str] = ()
    """Name of the test set (and system) of each of those; their systems if empty."""
    shortcuts: Sequence[ShortcutComparison] = ()
    models: Sequence[ModelResult] = ()
    claims: Sequence[JudgedClaim] = ()
    """Claims judged by criteria that were set beforehand."""
    associations: Sequence[Association] = ()
    locality: Sequence[LocalityScore] = ()
    noise: NoiseFloors | None = None
    rigidity: Mapping[str, RigidityProfile] = field(default_factory=dict)
    """Error by local prediction rigidity, by the name of the model."""
    achieved: Mapping[str, Achieved] = field(default_factory=dict)
    """Fraction of the achievable, by the name of the model."""
    cells: Sequence[SizeCell] = ()
    mean_slope: PooledEffect | None = None
    """Mean of the slopes of the cells that used all configurations (hartree per decade)."""
    ambiguities: Sequence[SeedAmbiguity] = ()
    reaches: Sequence[Reach] = ()
    checkpoints: Sequence[Checkpoint] = ()
    dimers: Sequence[DimerCurve] = ()
    traces: Sequence[EnergyTrace] = ()
    distributions: Sequence[RadialDistribution] = ()
    remarks: Sequence[str] = ()
    """What a reader has to know before any number, shown above them all."""
    provenance: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Settings and versions by heading."""

    def __post_init__(self) -> None:
        n_atoms = sum(self.labels[k].n_atoms for k in self.evaluated)
        for model in self.models:
            if len(model.local_energy) != n_atoms:
                raise ArtifactError(
                    f"Model {model.name!r} has {len(model.local_energy)} energies; expected "
                    f"{n_atoms}, one per atom of the {len(self.evaluated)} evaluated labels. "
                    "Evaluate it again on these labels."
                )

    @property
    def systems(self) -> tuple[str, ...]:
        """Names of the systems that occur in the labels."""
        return tuple(dict.fromkeys(system_name(label) for label in self.labels))

    @property
    def evaluated_places(self) -> tuple[str, ...]:
        """Name of the test set of each evaluated label."""
        return tuple(self.places) or tuple(system_name(self.labels[k]) for k in self.evaluated)

    @property
    def main_cells(self) -> tuple[SizeCell, ...]:
        """The cells that used all configurations of their training set."""
        return tuple(main_cells(self.cells))

    @property
    def main_networks(self) -> tuple[ModelResult, ...]:
        """The networks that learned from all configurations of their training set."""
        most: dict[str, int] = {}
        for m in self.networks:
            most[m.trained_on] = max(most.get(m.trained_on, 0), m.n_training_configurations)
        return tuple(m for m in self.networks if m.n_training_configurations == most[m.trained_on])

    @property
    def networks(self) -> tuple[ModelResult, ...]:
        """The models that are no baselines and saw totals alone, smallest first in each set."""
        subjects = [m for m in self.models if not m.is_baseline and m.target == "total"]
        order = {name: k for k, name in enumerate(dict.fromkeys(m.trained_on for m in subjects))}
        return tuple(sorted(subjects, key=lambda m: (order[m.trained_on], m.n_parameters, m.seed)))


def main_cells(cells: Sequence[SizeCell]) -> list[SizeCell]:
    """Cells that used all configurations of their training set."""
    most: dict[str, int] = {}
    for cell in cells:
        most[cell.trained_on] = max(most.get(cell.trained_on, 0), cell.n_training)
    return [cell for cell in cells if cell.n_training == most[cell.trained_on]]


def pooled_rmse(scores: Sequence[SpeciesScore], system: str | None = None) -> float:
    """Centred RMSE over the species of a system (or of all), weighted by atoms (hartree)."""
    used = [score for score in scores if system is None or score.system == system]
    if not used:
        return float("nan")
    weight = np.array([score.n_atoms for score in used], dtype=np.float64)
    square = np.array([score.rmse.value**2 for score in used])
    return float(np.sqrt(weight @ square / weight.sum()))
