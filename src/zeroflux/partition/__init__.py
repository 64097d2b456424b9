"""Atomic basins of a density on a periodic grid."""

from zeroflux.partition.attractors import Attractors as Attractors
from zeroflux.partition.basins import basins as basins
from zeroflux.partition.basins import partition_field as partition_field
from zeroflux.partition.promolecule import ARGON_LIKE as ARGON_LIKE
from zeroflux.partition.promolecule import gaussian_promolecule as gaussian_promolecule
from zeroflux.partition.promolecule import spread_frame as spread_frame
from zeroflux.partition.record import Method as Method
from zeroflux.partition.record import Partition as Partition
from zeroflux.partition.record import fourier_laplacian as fourier_laplacian
from zeroflux.partition.refined import RefinedPartition as RefinedPartition
from zeroflux.partition.refined import locally_refined as locally_refined
from zeroflux.partition.refined import refined_basins as refined_basins
from zeroflux.partition.voronoi import VoronoiStencil as VoronoiStencil
from zeroflux.partition.voronoi import voronoi_stencil as voronoi_stencil
