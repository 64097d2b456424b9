"""An engine: anything with the members of `zeroflux.labelling.backend.Engine`.

This one is PySCF's with a loose threshold. One of another program solves the Kohn-Sham equations in
`energy_densities` and returns the total energy with its densities on a grid.
"""

from zeroflux.labelling.pyscf import PyscfEngine


def engine(settings, *, basis, density_cutoff, orbital_folder):
    """Engine of a configuration; ``settings`` are those of its section ``label``."""
    return PyscfEngine(
        functional=settings.functional,
        basis=basis,
        density_cutoff=density_cutoff,
        gradient_tolerance=1e-2,
        orbital_folder=orbital_folder,
    )
