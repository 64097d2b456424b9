"""The interface between zeroflux and the programs that solve the Kohn-Sham equations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from zeroflux.frames import Frame
from zeroflux.labelling.energy_density import EnergyDensities


@runtime_checkable
class Engine(Protocol):
    """A program that gives the total energy of a configuration and its energy densities."""

    @property
    def name(self) -> str:
        """Name of the program, as it is written into labels."""
        ...

    @property
    def settings(self) -> dict[str, str | int | float]:
        """Everything that the labels depend on; a change makes new labels."""
        ...

    def prepared(self, symbols: Iterable[str]) -> Engine:
        """Engine that has done what all configurations of these elements share."""
        ...

    def energy_densities(self, frame: Frame) -> EnergyDensities:
        """Solve the Kohn-Sham equations for one configuration.

        A calculation that does not converge is returned with ``is_converged = False``.

        Raises
        ------
        LabelError
            If the configuration cannot be treated at all (unknown element, odd electron number).
        """
        ...

    def isolated_atom_energy(self, symbol: str) -> float:
        """Energy of one atom alone, at the same settings, without dispersion (hartree)."""
        ...
