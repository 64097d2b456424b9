"""Basin energies of CP2K's LOCAL_ENERGY_CUBE: a named alternative, not the direct decomposition."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from zeroflux.errors import LabelError
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.labelling.cp2k import Cp2kEngine
from zeroflux.labelling.cp2k_input import PROJECT
from zeroflux.labelling.electrostatics import gaussian_charges, gaussian_self_energy
from zeroflux.labelling.gth_data import closed_shell_ions
from zeroflux.partition import basins
from zeroflux.volumetric import read_volumetric


def band_form_energies(frame: Frame, *, engine: Cp2kEngine) -> Float[np.ndarray, " n_atoms"]:
    r"""Integrals of CP2K's local energy over the basins of its density, without dispersion.

    .. math:: E_A = \int_{\Omega_A}\Big(\sum_i f_i\epsilon_i|\psi_i|^2
              + \tfrac12 V_H(\rho_{core}-\rho) + \rho\epsilon_{xc} - \rho v_{xc}\Big)dr - E_{self,A}

    They sum to the total energy, to the five digits of a cube file. They are **not** the basin
    energies of `zeroflux.labelling.label.label_frame`: see docs/decisions/local-energy.md.

    Parameters
    ----------
    frame
        Configuration.
    engine
        CP2K and its settings.

    Returns
    -------
    Energies of the atoms (hartree).

    Raises
    ------
    LabelError
        If CP2K is not there, fails or does not converge.

    References
    ----------
    Cohen, Frydel, Burke, Engel, J. Chem. Phys. 113, 2990 (2000), doi 10.1063/1.1286805.
    """
    with engine.calculation(frame, cubes=("E_DENSITY_CUBE", "LOCAL_ENERGY_CUBE")) as calculation:
        if not calculation.energies.is_converged:
            raise LabelError(
                f"CP2K's SCF did not converge in {calculation.energies.n_cycles} steps; expected "
                "it to. Raise max_cycles or look at the structure."
            )
        density, local_energy = (
            read_volumetric(calculation.folder / f"{PROJECT}-{name}-1_0.cube")
            for name in ("ELECTRON_DENSITY", "local_energy")
        )
    ions = closed_shell_ions(frame, engine.pseudopotential)
    # The cell of the file has six decimals; the grid is that of the frame.
    grid = UniformGrid(frame.cell, density.grid.shape, density.grid.origin)
    smeared = gaussian_charges(frame, grid, charges=ions.charges, widths=ions.widths)
    partition = basins(density.first, grid, frame, reference=density.first + smeared)
    (energies,) = partition.integrate(local_energy.first)
    return energies - gaussian_self_energy(ions.charges, ions.widths)
