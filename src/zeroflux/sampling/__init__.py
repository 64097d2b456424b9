"""Liquid configurations from pair potentials."""

from zeroflux.sampling.benchmark import PairBenchmark as PairBenchmark
from zeroflux.sampling.benchmark import label_with_pairs as label_with_pairs
from zeroflux.sampling.benchmark import pair_benchmark as pair_benchmark
from zeroflux.sampling.calculator import PairCalculator as PairCalculator
from zeroflux.sampling.monte_carlo import DEFAULT_CUTOFF as DEFAULT_CUTOFF
from zeroflux.sampling.monte_carlo import SampledLiquid as SampledLiquid
from zeroflux.sampling.monte_carlo import sample_canonical as sample_canonical
from zeroflux.sampling.monte_carlo import sample_liquid as sample_liquid
from zeroflux.sampling.order import translational_order as translational_order
from zeroflux.sampling.pair_potentials import NOBLE_GASES as NOBLE_GASES
from zeroflux.sampling.pair_potentials import LennardJones as LennardJones
from zeroflux.sampling.pair_potentials import PairPotential as PairPotential
from zeroflux.sampling.pair_sums import check_overlaps as check_overlaps
from zeroflux.sampling.pair_sums import pair_energies as pair_energies
from zeroflux.sampling.pair_sums import pair_forces as pair_forces
from zeroflux.sampling.pair_sums import pair_stress as pair_stress
from zeroflux.sampling.radial_distribution import RadialDistribution as RadialDistribution
from zeroflux.sampling.radial_distribution import radial_distribution as radial_distribution
from zeroflux.sampling.state_points import StatePoint as StatePoint
from zeroflux.sampling.structures import crystal as crystal
from zeroflux.sampling.structures import dimer as dimer
from zeroflux.sampling.structures import sample_cluster as sample_cluster
