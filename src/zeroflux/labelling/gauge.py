"""How far the electrostatic energy of an atom depends on where and how it is counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import fft

from zeroflux.grids import UniformGrid
from zeroflux.labelling.electrostatics import coulomb_potential
from zeroflux.labelling.energy_density import EnergyDensities
from zeroflux.partition import Partition, RefinedPartition, partition_field, refined_basins


@dataclass(frozen=True, eq=False)
class ElectrostaticGauges:
    """Electrostatic energy of each atom in four gauges, atomic parts included (hartree).

    All four sum to the same total. The first is the one of the labels.
    """

    half_density: Float[np.ndarray, " n_atoms"]
    """∫ ½qV over the basins of the density."""
    half_neutral: Float[np.ndarray, " n_atoms"]
    """∫ ½qV over the charge-neutral volumes."""
    field_density: Float[np.ndarray, " n_atoms"]
    """∫ |∇V|²/8π over the basins of the density."""
    field_neutral: Float[np.ndarray, " n_atoms"]
    """∫ |∇V|²/8π over the charge-neutral volumes."""
    basin_charge: Float[np.ndarray, " n_atoms"]
    """Net charge of the basins of the density (e)."""
    neutral_charge: Float[np.ndarray, " n_atoms"]
    """Net charge of the charge-neutral volumes (e): zero but for the grid, so an error bar."""
    neutral_volume: Float[np.ndarray, " n_atoms"]
    """Size of the charge-neutral volumes (bohr³)."""
    n_merged: int
    """Spurious maxima of the potential between the atoms, given to the nearest nucleus."""


def charge_density(densities: EnergyDensities) -> Float[np.ndarray, "n_a n_b n_c"]:
    """Charge density q = Σ Z_A g_A − ρ (bohr⁻³)."""
    return densities.reference - 2.0 * densities.density


def field_energy_density(
    potential: Float[np.ndarray, "n_a n_b n_c"], grid: UniformGrid
) -> Float[np.ndarray, "n_a n_b n_c"]:
    r"""Energy density of the electric field, :math:`|\nabla V|^2 / 8\pi` (hartree bohr⁻³).

    Its integral over the cell is that of ½qV, and with :math:`\nabla^2 V = -4\pi q`

    .. math:: \tfrac12 qV = \tfrac{1}{8\pi}|\nabla V|^2 - \tfrac{1}{8\pi}\nabla\cdot(V\nabla V),

    so over a volume the two differ by a surface term that vanishes where no flux of ∇V passes.

    References
    ----------
    Yu, Trinkle, Martin, Phys. Rev. B 83, 115113 (2011), doi:10.1103/PhysRevB.83.115113.
    """
    spectrum = np.asarray(fft.rfftn(potential))
    wave_vectors = grid.reciprocal_vectors()
    square = np.zeros(grid.shape)
    for axis in range(3):
        slope = fft.irfftn(1j * wave_vectors[..., axis] * spectrum, s=grid.shape)
        square += np.asarray(slope) ** 2
    return square / (8.0 * np.pi)


def neutral_volumes(
    potential: Float[np.ndarray, "n_a n_b n_c"], densities: EnergyDensities
) -> Partition:
    r"""Charge-neutral volumes: basins of the potential V, bounded by :math:`\nabla V\cdot n = 0`.

    By Gauss's theorem each holds no net charge. The potential is flat between closed-shell atoms
    and has many spurious maxima there; each goes to the nearest nucleus.

    References
    ----------
    Yu, Trinkle, Martin, Phys. Rev. B 83, 115113 (2011), doi:10.1103/PhysRevB.83.115113.
    """
    return partition_field(potential, densities.grid, densities.frame)


def electrostatic_gauges(
    densities: EnergyDensities, *, basins: Partition | RefinedPartition | None = None
) -> ElectrostaticGauges:
    """Electrostatic energies of the atoms of one configuration in four gauges.

    Parameters
    ----------
    densities
        What the engine says of the configuration.
    basins
        Basins of the density; by default those of the labels.

    Raises
    ------
    PartitionError
        If the density cannot be divided.
    """
    grid = densities.grid
    if basins is None:
        basins = refined_basins(
            densities.density,
            grid,
            densities.frame,
            reference=densities.reference,
            factors=(1, 2),
        )
    charge = charge_density(densities)
    potential = coulomb_potential(charge, grid)
    half, field = 0.5 * charge * potential, field_energy_density(potential, grid)
    volumes = neutral_volumes(potential, densities)
    own = densities.atomic.get("electrostatic", np.zeros(densities.frame.n_atoms))
    half_density, field_density, population = basins.integrate(half, field, densities.density)
    half_neutral, field_neutral, neutral_charge = volumes.integrate(half, field, charge)
    return ElectrostaticGauges(
        half_density=half_density + own,
        half_neutral=half_neutral + own,
        field_density=field_density + own,
        field_neutral=field_neutral + own,
        basin_charge=densities.ion_charges - population,
        neutral_charge=neutral_charge,
        neutral_volume=volumes.volume,
        n_merged=volumes.attractors.n_non_nuclear,
    )
