"""From energy densities to a label: divide, integrate, add dispersion."""

from __future__ import annotations

import time
from typing import Literal

import numpy as np

from zeroflux.errors import LabelError
from zeroflux.frames import Frame
from zeroflux.labelling.backend import Engine
from zeroflux.labelling.dispersion import dispersion_energies, dispersion_forces
from zeroflux.labelling.electrostatics import coulomb_potential
from zeroflux.labelling.energy_density import FIELDS, EnergyDensities
from zeroflux.labelling.gauge import charge_density, neutral_volumes
from zeroflux.labelling.stockholder import stockholder_integrals
from zeroflux.labels import BASIN_FIELDS, BasinTerms, Label
from zeroflux.partition import Method, Partition, RefinedPartition, basins, refined_basins

Dispersion = Literal["none", "d3bj", "d3bj-atm"]
Division = Literal["refined"] | Method
"""How the grid is divided: refined is the weight method extrapolated from two grids."""


def label_frame(
    frame: Frame,
    *,
    engine: Engine,
    method: Division = "refined",
    dispersion: Dispersion = "d3bj",
    functional: str = "PBE",
) -> Label:
    """Label one configuration: total energy, and the direct decomposition into basin energies.

    Parameters
    ----------
    frame
        Configuration.
    engine
        Program that solves the Kohn-Sham equations.
    method
        How the grid is divided into basins.
    dispersion
        Pairwise D3(BJ), without or with the three-body term, or none.
    functional
        Functional whose dispersion parameters are used.

    Returns
    -------
    Label
        With ``is_converged = False`` and NaN for every basin if the self-consistent field did
        not converge.

    Raises
    ------
    LabelError
        If the engine cannot treat the configuration.
    PartitionError
        If the density cannot be divided.
    """
    start = time.perf_counter()
    densities = engine.energy_densities(frame)
    solved = time.perf_counter()
    forces = densities.forces
    if dispersion == "none":
        shares = np.zeros(frame.n_atoms)
    else:
        three_body = dispersion == "d3bj-atm"
        shares = dispersion_energies(frame, functional=functional, three_body=three_body)
        if forces is not None:
            forces = forces + dispersion_forces(frame, functional=functional, three_body=three_body)
    if densities.is_converged:
        terms = basin_terms(densities, dispersion=shares, method=method)
    else:
        nothing = np.full(frame.n_atoms, np.nan)
        terms = BasinTerms(**dict.fromkeys(BASIN_FIELDS, nothing))
    total_energy = densities.total_energy + float(shares.sum())
    others = other_energies(densities, terms) if densities.is_converged else {}
    label = Label(
        frame=frame,
        total_energy=total_energy,
        terms=terms,
        other_energies={
            name: energies + (total_energy - energies.sum()) / frame.n_atoms
            for name, energies in others.items()
        },
        is_converged=densities.is_converged,
        forces=forces,
        info=dict(densities.info),
    )
    label.info.update(
        dispersion=dispersion,
        partition=method,
        largest_flux=float(np.abs(terms.laplacian).max()),
        partition_wall_s=round(time.perf_counter() - solved, 2),
        label_wall_s=round(time.perf_counter() - start, 2),
    )
    return label


def basin_terms(
    densities: EnergyDensities, *, dispersion: np.ndarray, method: Division = "refined"
) -> BasinTerms:
    r"""Integrate every term of the energy over the basins of the density.

    .. math:: E_A = \int_{\Omega_A}\big(\tau + \rho\epsilon_{xc} + \tfrac12 qV + \rho v_{sr}\big)dr
              - E_{self,A} + E_{nl,A} + E_{disp,A}
    """
    missing = [name for name in FIELDS if name not in densities.fields]
    if missing:
        raise LabelError(
            f"The engine gave no energy density for {', '.join(missing)}; expected all of "
            f"{', '.join(FIELDS)}. Use an engine that gives the direct decomposition."
        )
    partition = _divided(densities, method)
    arrays = [densities.fields[name] for name in FIELDS]
    *spread, population, laplacian = partition.integrate(
        *arrays, densities.density, densities.laplacian
    )
    zeros = np.zeros(densities.frame.n_atoms)
    integrals = {
        name: values + densities.atomic.get(name, zeros)
        for name, values in zip(FIELDS, spread, strict=True)
    }
    return BasinTerms(
        **integrals,
        pseudo_nonlocal=densities.atomic.get("pseudo_nonlocal", zeros),
        dispersion=dispersion,
        population=population,
        charge=densities.ion_charges - population,
        volume=partition.volume,
        laplacian=laplacian,
    )


def other_energies(densities: EnergyDensities, terms: BasinTerms) -> dict[str, np.ndarray]:
    r"""Energies of the atoms by other partitions of the same fields and orbitals, before closure.

    neutral
        The electrostatic term over charge-neutral volumes, the rest over the basins.
    stockholder
        All fields shared as the densities of free atoms.
    orbital
        Electrons shared by intrinsic atomic orbitals.

    Only those for which the engine gave what they need; nothing if it gave no free atoms.
    """
    if not densities.free_atoms:
        return {}
    grid, frame = densities.grid, densities.frame
    electrostatic = densities.fields["electrostatic"]
    volumes = neutral_volumes(coulomb_potential(charge_density(densities), grid), densities)
    atomic = sum(densities.atomic.values(), np.zeros(frame.n_atoms)) + terms.dispersion
    fields = sum(densities.fields.values(), np.zeros(grid.shape))
    energies = {
        "neutral": terms.energy_unclosed
        - terms.electrostatic
        + densities.atomic["electrostatic"]
        + volumes.integrate(electrostatic)[0],
        "stockholder": atomic + stockholder_integrals(fields, grid, frame, densities.free_atoms),
    }
    if densities.orbital_energies is not None:
        energies["orbital"] = densities.orbital_energies + terms.dispersion
    return energies


def _divided(densities: EnergyDensities, method: Division) -> Partition | RefinedPartition:
    arguments = (densities.density, densities.grid, densities.frame)
    if method == "refined":
        return refined_basins(*arguments, reference=densities.reference, factors=(1, 2))
    return basins(*arguments, reference=densities.reference, method=method)
