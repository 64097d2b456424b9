"""How well local energies agree, and whether that matters."""

from zeroflux.evaluation.convention import Convention, find_convention
from zeroflux.evaluation.emergence import (
    SizeRegression,
    SizeSummary,
    size_regression,
    size_summaries,
)
from zeroflux.evaluation.noise import NoiseFloors, noise_floors
from zeroflux.evaluation.radial import (
    LocalityScore,
    PairPotentialFit,
    RadialBasis,
    fit_pair_potential,
    locality,
)
from zeroflux.evaluation.rigidity import RigidityProfile, rigidity_profile
from zeroflux.evaluation.scores import (
    SpeciesScore,
    TotalScore,
    local_scores,
    mean_energy_baseline,
    random_split_baseline,
    total_scores,
)
from zeroflux.evaluation.statistics import Criterion, Estimate, Verdict, verdict
from zeroflux.evaluation.transfer import Association, transfer_associations

__all__ = [
    "Association",
    "Convention",
    "Criterion",
    "Estimate",
    "LocalityScore",
    "NoiseFloors",
    "PairPotentialFit",
    "RadialBasis",
    "RigidityProfile",
    "SizeRegression",
    "SizeSummary",
    "SpeciesScore",
    "TotalScore",
    "Verdict",
    "find_convention",
    "fit_pair_potential",
    "local_scores",
    "locality",
    "mean_energy_baseline",
    "noise_floors",
    "random_split_baseline",
    "rigidity_profile",
    "size_regression",
    "size_summaries",
    "total_scores",
    "transfer_associations",
    "verdict",
]
