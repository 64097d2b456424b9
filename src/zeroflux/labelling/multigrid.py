"""PySCF's multigrid integrator, with a memory for what its last build evaluated."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from pyscf.pbc.dft.multigrid import MultiGridNumInt2


class RecordingIntegrator(MultiGridNumInt2):
    """Integrator that keeps the density, the exchange-correlation energy density and the matrix.

    Every build of the Kohn-Sham matrix evaluates the two on the grid and drops them; what the last
    build made belongs to the energy, and nothing has to be evaluated again.
    """

    density: Float[np.ndarray, " n_points"]
    """Density of the last build (bohr⁻³)."""
    xc_energy_density: Float[np.ndarray, " n_points"]
    """ρ ε_xc of the last build (hartree bohr⁻³)."""
    mean_field: Float[np.ndarray, "n_ao n_ao"]
    """Matrix of the Coulomb and exchange-correlation potentials of the last build (hartree)."""

    def nr_rks(self, *args: Any, **options: Any) -> Any:
        """Number of electrons, energy and matrix of one density matrix, as PySCF's own method."""
        result = super().nr_rks(*args, **options)
        self.mean_field = np.asarray(result[2])
        return result

    def eval_xc_eff(self, xc_code: str, rho: np.ndarray, *args: Any, **options: Any) -> Any:
        """Exchange-correlation energy per electron and potential, as PySCF's own method."""
        result = super().eval_xc_eff(xc_code, rho, *args, **options)
        self.density = np.array(rho if rho.ndim == 1 else rho[0])
        self.xc_energy_density = self.density * np.asarray(result[0])
        return result
