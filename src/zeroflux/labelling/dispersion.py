"""Pairwise dispersion energies shared between atoms."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from zeroflux.errors import missing_extra
from zeroflux.frames import Frame


def require_dispersion() -> None:
    """Check that the dispersion library is there, before hours of work are spent.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import dftd3  # noqa: F401
    except ImportError as error:
        raise missing_extra("dftd3", "dft") from error


def dispersion_energies(
    frame: Frame, *, functional: str, three_body: bool = False
) -> Float[np.ndarray, " n_atoms"]:
    r"""D3(BJ) energy of each atom: half of each pair term, a third of each triple term.

    .. math:: E_A = \tfrac12 \sum_B E^{(2)}_{AB} \; (+ \tfrac13 \sum_{B<C} E^{(3)}_{ABC})

    Parameters
    ----------
    frame
        Configuration, periodic.
    functional
        Density functional whose damping parameters are used, such as ``"pbe"``.
    three_body
        Include the Axilrod-Teller-Muto term.

    Returns
    -------
    Energies that sum to the dispersion energy of the cell (hartree).

    References
    ----------
    Grimme, Antony, Ehrlich, Krieg, J. Chem. Phys. 132, 154104 (2010), doi 10.1063/1.3382344;
    Grimme, Ehrlich, Goerigk, J. Comput. Chem. 32, 1456 (2011), doi 10.1002/jcc.21759, eq. (6).
    """
    model, damping = _model(frame, functional, three_body)
    pairs = model.get_pairwise_dispersion(damping)
    # Both matrices are symmetric and their elements sum to the energy, so a row's sum is the
    # atom's share: half of each pair term, and a third of each triple term.
    energies = pairs["additive pairwise energy"].sum(axis=1)
    if three_body:
        energies = energies + pairs["non-additive pairwise energy"].sum(axis=1)
    return energies


def dispersion_forces(
    frame: Frame, *, functional: str, three_body: bool = False
) -> Float[np.ndarray, "n_atoms 3"]:
    """D3(BJ) forces on the atoms (hartree/bohr); arguments as of `dispersion_energies`."""
    model, damping = _model(frame, functional, three_body)
    return -np.asarray(model.get_dispersion(damping, grad=True)["gradient"])


def _model(frame: Frame, functional: str, three_body: bool) -> tuple[Any, Any]:
    require_dispersion()
    from dftd3.interface import DispersionModel, RationalDampingParam

    model = DispersionModel(
        frame.atomic_numbers,
        frame.positions,
        lattice=frame.cell,
        periodic=np.array([True, True, True]),
    )
    return model, RationalDampingParam(method=functional.lower(), atm=three_body)
