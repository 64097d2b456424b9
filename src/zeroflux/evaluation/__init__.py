"""How well local energies agree, and whether that matters."""

from zeroflux.evaluation.achieved import Achieved, achieved, pooled_achieved
from zeroflux.evaluation.ambiguity import Ambiguity, ambiguity
from zeroflux.evaluation.checkpoints import Checkpoint, checkpoint, has_equal_atoms
from zeroflux.evaluation.convention import Convention, find_convention
from zeroflux.evaluation.emergence import (
    SizeRegression,
    SizeSummary,
    size_regression,
    size_summaries,
)
from zeroflux.evaluation.noise import NoiseFloors, noise_floors
from zeroflux.evaluation.pooling import PooledEffect, random_effects, standard_error_of
from zeroflux.evaluation.radial import (
    LocalityScore,
    PairPotentialFit,
    RadialBasis,
    fit_pair_potential,
    locality,
)
from zeroflux.evaluation.receptive_field import ReceptiveField, receptive_field
from zeroflux.evaluation.rigidity import RigidityProfile, rigidity_profile
from zeroflux.evaluation.scores import (
    SpeciesScore,
    TotalScore,
    local_scores,
    mean_energy_baseline,
    random_split_baseline,
    total_scores,
)
from zeroflux.evaluation.size_effect import BestSize, best_size, size_slopes
from zeroflux.evaluation.statistics import Criterion, Estimate, Verdict, verdict
from zeroflux.evaluation.transfer import (
    Association,
    holm_adjusted,
    mean_association,
    transfer_associations,
)

__all__ = [
    "Achieved",
    "Ambiguity",
    "Association",
    "BestSize",
    "Checkpoint",
    "Convention",
    "Criterion",
    "Estimate",
    "LocalityScore",
    "NoiseFloors",
    "PairPotentialFit",
    "PooledEffect",
    "RadialBasis",
    "ReceptiveField",
    "RigidityProfile",
    "SizeRegression",
    "SizeSummary",
    "SpeciesScore",
    "TotalScore",
    "Verdict",
    "achieved",
    "ambiguity",
    "best_size",
    "checkpoint",
    "find_convention",
    "fit_pair_potential",
    "has_equal_atoms",
    "holm_adjusted",
    "local_scores",
    "locality",
    "mean_association",
    "mean_energy_baseline",
    "noise_floors",
    "pooled_achieved",
    "random_effects",
    "random_split_baseline",
    "receptive_field",
    "rigidity_profile",
    "size_regression",
    "size_slopes",
    "size_summaries",
    "standard_error_of",
    "total_scores",
    "transfer_associations",
    "verdict",
]
