"""Scores of models and baselines on one data set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np

    from zeroflux.evaluation import Achieved, Convention, NoiseFloors, RigidityProfile
    from zeroflux.evaluation.statistics import Estimate
    from zeroflux.labels import Label
    from zeroflux.report import ModelResult

Reference = Literal["direct", "shortcut", "neutral", "stockholder", "orbital"]
"""Basin energies, those by the best shortcut, or those of another partition that labels hold."""


@dataclass(frozen=True, eq=False)
class ScoreReport:
    """Scores of models and baselines on one data set."""

    labels: list[Label]
    reference: str
    """What the local energies were held against, in words."""
    models: tuple[ModelResult, ...]
    """Models first, then baselines."""
    conventions: dict[str, Convention]
    """By the name of the model."""
    rigidity: dict[str, RigidityProfile]
    """By the name of the model; empty without training configurations."""
    noise: NoiseFloors
    remarks: tuple[str, ...] = ()
    """What a reader of the tables has to know."""
    refused: dict[str, str] = field(default_factory=dict)
    """Why a model was left out, by its name."""
    forces: dict[str, Estimate] = field(default_factory=dict)
    """Error of the components of forces (hartree/bohr) by the name of the model, where the labels
    and the model have forces."""
    data_sha256: str = ""
    """Hash of the file of the reference; empty for labels in memory."""
    target: np.ndarray | None = None
    """What the local energies were held against, per atom (hartree)."""
    achieved: dict[str, Achieved] = field(default_factory=dict)
    """Fraction of the achievable by the name of the model."""
