"""Conversion factors to Hartree atomic units (CODATA, from SciPy).

Everything in memory is in atomic units. A factor means "multiply to come in, divide to go out":
``5 * ANGSTROM`` is a length in bohr, ``x / ANGSTROM`` is a length in ångström.
"""

from scipy.constants import physical_constants

BOHR_IN_METRE: float = physical_constants["Bohr radius"][0]
HARTREE_IN_EV: float = physical_constants["Hartree energy in eV"][0]
HARTREE_IN_KELVIN: float = physical_constants["hartree-kelvin relationship"][0]
ATOMIC_MASS_IN_ELECTRON_MASS: float = 1.0 / physical_constants["electron mass in u"][0]

ANGSTROM: float = 1e-10 / BOHR_IN_METRE
NANOMETRE: float = 10.0 * ANGSTROM
ELECTRONVOLT: float = 1.0 / HARTREE_IN_EV
MILLIELECTRONVOLT: float = 1e-3 * ELECTRONVOLT
KELVIN: float = 1.0 / HARTREE_IN_KELVIN  # energy k_B T
DALTON: float = ATOMIC_MASS_IN_ELECTRON_MASS
