"""Pair potentials of argon and krypton: accurate curves, Lennard-Jones, smooth truncation.

A curve answers ``energy(distance)`` and ``derivative(distance)`` in atomic units. Below its
``wall`` the energy is infinite: the analytic forms turn over at small distances, where they
mean nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from jaxtyping import Float
from scipy.optimize import brentq

from zeroflux.errors import StructureError
from zeroflux.units import ANGSTROM, KELVIN, MILLIELECTRONVOLT, NANOMETRE


@runtime_checkable
class PairCurve(Protocol):
    """Interaction energy of two atoms as a function of their distance."""

    @property
    def wall(self) -> float:
        """Distance (bohr) below which the energy is infinite."""
        ...

    def energy(self, distance: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """V(r) (hartree) at distances (bohr); infinite below the wall."""
        ...

    def derivative(self, distance: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """dV/dr (hartree/bohr) at distances (bohr); minus infinity below the wall."""
        ...


@dataclass(frozen=True)
class JaegerCurve:
    r"""Modified Tang-Toennies curve of Jäger and co-workers.

    .. math:: V(R) = A e^{a_1 R + a_2 R^2 + a_{-1}/R + a_{-2}/R^2}
              - \sum_{n=3}^{8} \frac{C_{2n}}{R^{2n}}
              \Big[1 - e^{-bR}\sum_{k=0}^{2n}\frac{(bR)^k}{k!}\Big]

    The bracket loses its digits where bR is small, but the wall keeps bR above 6: its absolute
    rounding error, 10⁻¹⁶ times a dispersion term of at most 10⁶ K, stays below 10⁻¹⁵ hartree.

    References
    ----------
    Jäger, Hellmann, Bich, Vogel, Mol. Phys. 107, 2181 (2009), doi 10.1080/00268970903213305;
    argon, part II: Vogel, Jäger, Hellmann, Bich, Mol. Phys. 108, 3335 (2010),
    doi 10.1080/00268976.2010.507557;
    krypton: Jäger, Hellmann, Bich, Vogel, J. Chem. Phys. 144, 114304 (2016),
    doi 10.1063/1.4943959.
    """

    prefactor: float
    """A / k (K)."""
    exponents: tuple[float, float, float, float]
    """a₁ (1/nm), a₂ (1/nm²), a₋₁ (nm), a₋₂ (nm²)."""
    damping: float
    """b (1/nm)."""
    dispersion: tuple[float, ...]
    """C₆/k, C₈/k, ... (K nm⁶, K nm⁸, ...)."""
    wall: float
    """Distance (bohr) below which the energy is infinite."""

    def energy(self, distance: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """V(r) (hartree) at distances (bohr); infinite below the wall."""
        r = np.maximum(distance, self.wall) / NANOMETRE
        a1, a2, am1, am2 = self.exponents
        value = self.prefactor * np.exp(a1 * r + a2 * r**2 + am1 / r + am2 / r**2)
        damping = _damping(self.damping * r, len(self.dispersion))
        for coefficient, (order, damped, _) in zip(self.dispersion, damping, strict=True):
            value = value - coefficient / r**order * damped
        return np.where(distance < self.wall, np.inf, value * KELVIN)

    def derivative(self, distance: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """dV/dr (hartree/bohr) at distances (bohr); minus infinity below the wall."""
        r = np.maximum(distance, self.wall) / NANOMETRE
        a1, a2, am1, am2 = self.exponents
        value = self.prefactor * np.exp(a1 * r + a2 * r**2 + am1 / r + am2 / r**2)
        value = value * (a1 + 2 * a2 * r - am1 / r**2 - 2 * am2 / r**3)
        damping = _damping(self.damping * r, len(self.dispersion))
        for coefficient, (order, damped, slope) in zip(self.dispersion, damping, strict=True):
            value = value + coefficient / r**order * (order / r * damped - self.damping * slope)
        return np.where(distance < self.wall, -np.inf, value * KELVIN / NANOMETRE)


@dataclass(frozen=True)
class CorrespondingStatesCurve:
    r"""Mixed pair from two like pairs by the law of corresponding states.

    .. math:: V_{AB}(R) = \epsilon_{AB}\,\tfrac12\,[u_A(R/R_{AB}) + u_B(R/R_{AB})],
              \qquad u(x) = V(x R_m)/\epsilon

    with the well of the mixed pair, (ε_AB, R_AB), given. The reduced curves of argon and
    krypton differ by less than a percent of the well depth around it, which bounds the error
    of the shape; the well is exact by construction.

    References
    ----------
    Tang, Toennies, J. Chem. Phys. 118, 4976 (2003), doi 10.1063/1.1543944: the rare-gas
    curves are conformal; wells of the mixed pairs.
    """

    first: PairCurve
    second: PairCurve
    well_distance: float
    """Distance of the minimum of the mixed pair (bohr)."""
    well_depth: float
    """Depth of the minimum of the mixed pair, positive (hartree)."""

    @property
    def wall(self) -> float:
        """Distance (bohr) below which the energy is infinite."""
        return max(c.wall * self.well_distance / well(c)[0] for c in (self.first, self.second))

    def energy(self, distance: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """V(r) (hartree) at distances (bohr); infinite below the wall."""
        value = np.zeros_like(distance, dtype=np.float64)
        for curve in (self.first, self.second):
            minimum, depth = well(curve)
            stretch = minimum / self.well_distance
            value = value + 0.5 * self.well_depth / depth * curve.energy(distance * stretch)
        return value

    def derivative(self, distance: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """dV/dr (hartree/bohr) at distances (bohr); minus infinity below the wall."""
        value = np.zeros_like(distance, dtype=np.float64)
        for curve in (self.first, self.second):
            minimum, depth = well(curve)
            stretch = minimum / self.well_distance
            factor = 0.5 * self.well_depth / depth * stretch
            value = value + factor * curve.derivative(distance * stretch)
        return value


@dataclass(frozen=True)
class LennardJones:
    r"""Lennard-Jones curve, :math:`V = 4\epsilon[(\sigma/r)^{12} - (\sigma/r)^6]`."""

    epsilon: float
    """Well depth (hartree)."""
    sigma: float
    """Zero of the energy (bohr)."""

    @property
    def wall(self) -> float:
        """Distance (bohr) below which the energy is infinite: 0.3 σ, where V is about 7·10⁶ ε."""
        return 0.3 * self.sigma

    def energy(self, distance: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """V(r) (hartree) at distances (bohr); infinite below the wall."""
        x6 = (self.sigma / np.maximum(distance, self.wall)) ** 6
        return np.where(distance < self.wall, np.inf, 4 * self.epsilon * (x6**2 - x6))

    def derivative(self, distance: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """dV/dr (hartree/bohr) at distances (bohr); minus infinity below the wall."""
        r = np.maximum(distance, self.wall)
        x6 = (self.sigma / r) ** 6
        slope = -24 * self.epsilon * (2 * x6**2 - x6) / r
        return np.where(distance < self.wall, -np.inf, slope)


@dataclass(frozen=True)
class Switched:
    r"""A curve brought smoothly to zero between two distances.

    .. math:: V(r)\,S(t),\quad t = \frac{r - r_\mathrm{on}}{r_c - r_\mathrm{on}},\quad
              S = 1 - 10t^3 + 15t^4 - 6t^5

    Value and first two derivatives are continuous at both ends, so that forces and stress are
    the derivatives of the energy even when a pair crosses the cutoff.
    """

    curve: PairCurve
    onset: float
    """Distance (bohr) at which the switching starts."""
    cutoff: float
    """Distance (bohr) from which on the energy is zero."""

    def __post_init__(self) -> None:
        if not self.wall < self.onset < self.cutoff:
            raise ValueError(
                f"switching from {self.onset} to {self.cutoff} bohr; expected the wall "
                f"({self.wall:.3f}) < onset < cutoff"
            )

    @property
    def wall(self) -> float:
        """Distance (bohr) below which the energy is infinite."""
        return self.curve.wall

    def energy(self, distance: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """V(r) (hartree) at distances (bohr); infinite below the wall."""
        return self.curve.energy(distance) * self._switch(distance)[0]

    def derivative(self, distance: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """dV/dr (hartree/bohr) at distances (bohr); minus infinity below the wall."""
        switch, slope = self._switch(distance)
        energy = self.curve.energy(np.maximum(distance, self.wall))
        return self.curve.derivative(distance) * switch + energy * slope

    def _switch(self, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        width = self.cutoff - self.onset
        t = np.clip((distance - self.onset) / width, 0.0, 1.0)
        return 1 - t**3 * (10 - 15 * t + 6 * t**2), -30 * t**2 * (1 - t) ** 2 / width


@dataclass(frozen=True)
class PairPotential:
    """Curves for all pairs of the elements of a system.

    Raises
    ------
    ValueError
        If a mixed pair is missing.
    """

    curves: Mapping[tuple[str, str], PairCurve]
    """Curve of each unordered pair of chemical symbols, in either order."""

    def __post_init__(self) -> None:
        for a in self.symbols:
            for b in self.symbols:
                if (a, b) not in self.curves and (b, a) not in self.curves:
                    raise ValueError(
                        f"no curve for the pair {a}-{b}; expected one for every pair of "
                        f"{', '.join(self.symbols)}. Add it to `curves`."
                    )

    @property
    def symbols(self) -> tuple[str, ...]:
        """Chemical symbols of the elements, by atomic number."""
        found = {symbol for pair in self.curves for symbol in pair}
        return tuple(sorted(found, key=lambda symbol: atomic_numbers[symbol]))

    def curve(self, first: str, second: str) -> PairCurve:
        """Curve of a pair of elements.

        Raises
        ------
        StructureError
            If the potential does not know one of the elements.
        """
        for pair in ((first, second), (second, first)):
            if pair in self.curves:
                return self.curves[pair]
        raise StructureError(
            f"Found the pair {first}-{second}; the pair potential knows only "
            f"{', '.join(self.symbols)}. Use another potential or give your own structures."
        )

    def curve_of_numbers(self, first: int, second: int) -> PairCurve:
        """Curve of a pair of elements given by atomic number."""
        return self.curve(chemical_symbols[first], chemical_symbols[second])

    def switched(self, *, onset: float, cutoff: float) -> PairPotential:
        """Same potential, brought smoothly to zero between two distances (bohr)."""
        return PairPotential(
            {k: Switched(c, onset=onset, cutoff=cutoff) for k, c in self.curves.items()}
        )


def _damping(x: np.ndarray, n_terms: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Order 2n = 6, 8, ..., damping 1 − e⁻ˣ Σ_{k≤2n} xᵏ/k!, and its derivative x²ⁿ e⁻ˣ/(2n)!."""
    weight = np.exp(-x)
    total = weight.copy()
    for k in range(1, 2 * n_terms + 5):
        weight = weight * x / k
        total += weight
        if k >= 6 and k % 2 == 0:
            yield k, 1.0 - total, weight


@lru_cache(maxsize=64)
def well(curve: PairCurve) -> tuple[float, float]:
    """Distance (bohr) and depth (hartree, positive) of a curve's minimum."""
    grid = np.linspace(curve.wall, curve.wall + 30.0, 3001)
    i = int(np.argmin(curve.energy(grid)))
    # Brent's method on the bracket; the tuple form of the result is for full output only.
    distance = float(
        brentq(lambda r: float(curve.derivative(np.array([r]))[0]), grid[i - 1], grid[i + 1])  # type: ignore[arg-type]
    )
    return distance, -float(curve.energy(np.array([distance]))[0])


def extended_dispersion(c6: float, c8: float, c10: float) -> tuple[float, ...]:
    """C₆ to C₁₆ by the recursion C₂ₙ = C₂ₙ₋₆ (C₂ₙ₋₂/C₂ₙ₋₄)³.

    References
    ----------
    Tang, Toennies, J. Chem. Phys. 80, 3726 (1984), doi 10.1063/1.447150.
    """
    series = [c6, c8, c10]
    while len(series) < 6:
        series.append(series[-3] * (series[-1] / series[-2]) ** 3)
    return tuple(series)


# The walls stand where V/k is 5·10⁴ K. The analytic forms have their spurious maximum further in
# (argon at 0.9 Å, krypton at 0.4 Å, both above 7·10⁵ K) and are monotonic from there to the
# minimum. At 1000 K, hotter than any state point used, the wall cuts off configurations of
# relative weight exp(-50), so no average can notice.
ARGON = JaegerCurve(
    prefactor=4.61330146e7,
    exponents=(-29.8337630, -9.71208881, 2.75206827e-2, -1.01489050e-2),
    damping=40.2517211,
    dispersion=(
        0.442812017,
        0.0326707684,
        2.45656537e-3,
        1.88246247e-4,
        1.47012192e-5,
        1.17006343e-6,
    ),
    wall=2.0 * ANGSTROM,
)
"""Ar₂: minimum 3.7618 Å, 12.333 meV."""

KRYPTON = JaegerCurve(
    prefactor=3.200711798e7,
    exponents=(-24.30565544, -14.35536209, -0.04532273868, 0.0),
    damping=27.86344368,
    dispersion=extended_dispersion(0.8992209265, 0.07316713603, 7.835488511e-3),
    wall=2.2 * ANGSTROM,
)
"""Kr₂: minimum 4.0158 Å, 17.310 meV."""

ARGON_KRYPTON = CorrespondingStatesCurve(
    first=ARGON,
    second=KRYPTON,
    well_distance=3.89 * ANGSTROM,
    well_depth=14.41 * MILLIELECTRONVOLT,
)
"""ArKr: minimum 3.89 Å, 14.41 meV (Tang and Toennies 2003)."""

NOBLE_GASES = PairPotential(
    {("Ar", "Ar"): ARGON, ("Kr", "Kr"): KRYPTON, ("Ar", "Kr"): ARGON_KRYPTON}
)
"""Default potential of the sampling: argon, krypton and their mixtures."""
