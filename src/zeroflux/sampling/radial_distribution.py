"""Radial distribution functions of periodic frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import atomic_numbers
from jaxtyping import Float

from zeroflux.frames import Frame
from zeroflux.sampling.pair_sums import half_pairs


@dataclass(frozen=True, eq=False)
class RadialDistribution:
    """Pair distribution g(r) of one pair of elements, averaged over frames."""

    pair: tuple[str, str]
    """Central and surrounding element."""
    edges: Float[np.ndarray, " n_edges"]
    """Edges of the distance bins (bohr)."""
    values: Float[np.ndarray, " n_bins"]
    """g(r) in each bin; 1 for independent atoms."""
    density: float
    """Mean density of the surrounding element (1/bohr³)."""

    @property
    def centres(self) -> Float[np.ndarray, " n_bins"]:
        """Centres of the bins (bohr)."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    @property
    def neighbours(self) -> Float[np.ndarray, " n_bins"]:
        """Mean number of neighbours within the outer edge of each bin."""
        shells = 4 / 3 * np.pi * np.diff(self.edges**3)
        return np.cumsum(self.density * self.values * shells)

    def first_maximum(self, *, half_width: float = 0.4) -> float:
        """Distance (bohr) of the highest maximum, by a parabola through the bins around it.

        `half_width` (bohr) sets how far to each side the parabola reaches.
        """
        return _maximum(self.centres, self.values, half_width)

    def first_shell(self, *, half_width: float = 0.5) -> tuple[float, float]:
        r"""Distance (bohr) and number of neighbours of the first shell.

        Both by the distribution of atoms :math:`4\pi r^2\rho g(r)`, which X-ray diffraction
        reports: the place of its maximum, and its area up to the minimum that follows. The
        shells of a liquid overlap, so that the number depends on this convention by one or two.
        """
        atoms = self.centres**2 * self.values
        maximum = _maximum(self.centres, atoms, half_width)
        after = (self.centres > maximum) & (self.centres < 1.5 * maximum)
        minimum = int(np.flatnonzero(after)[np.argmin(atoms[after])])
        return maximum, float(self.neighbours[minimum])


def _maximum(x: np.ndarray, y: np.ndarray, half_width: float) -> float:
    """Place of the maximum by a parabola; y is searched up to 1.5 times its first large value."""
    rise = x[int(np.argmax(y > 0.5 * y[: len(y) // 2].max()))]
    top = x[int(np.argmax(np.where(x < 1.5 * rise, y, -np.inf)))]
    near = np.abs(x - top) <= half_width
    if near.sum() < 3:
        return float(top)
    a, b, _ = np.polyfit(x[near] - top, y[near], 2)
    return float(top - b / (2 * a)) if a < 0 else float(top)


def radial_distribution(
    frames: Sequence[Frame],
    *,
    pair: tuple[str, str],
    r_max: float,
    n_bins: int = 200,
) -> RadialDistribution:
    r"""Radial distribution function of one pair of elements.

    .. math:: g_{AB}(r) = \frac{\langle n_{AB}(r, r + dr)\rangle}{N_A\,\rho_B\,4\pi r^2\,dr}

    All images count, so that `r_max` may exceed half the box; beyond that, g(r) shows the
    periodicity as well as the liquid. For like atoms each has N − 1 distinct partners, and its
    own images are left out up to half the box by being that far away; the density N/Ω then makes
    g tend to 1 − 1/N within half the box, and to 1 once the atom's own images are counted.

    Parameters
    ----------
    frames
        Configurations; cells may differ.
    pair
        Chemical symbols of the central and the surrounding element.
    r_max
        Largest distance (bohr).
    n_bins
        Number of equal bins.

    Raises
    ------
    ValueError
        If there are no frames or an element is not in them.
    """
    if not frames:
        raise ValueError("no frames were given; expected at least one")
    edges = np.linspace(0.0, r_max, n_bins + 1)
    z_a, z_b = (atomic_numbers[symbol] for symbol in pair)
    shells = 4 / 3 * np.pi * np.diff(edges**3)
    counts, ideal, density = np.zeros(n_bins), np.zeros(n_bins), 0.0
    for frame in frames:
        n_a = int((frame.atomic_numbers == z_a).sum())
        n_b = int((frame.atomic_numbers == z_b).sum())
        if not n_a or not n_b:
            raise ValueError(f"a frame holds {n_a} {pair[0]} and {n_b} {pair[1]} atoms; need both")
        pairs = half_pairs(frame, r_max)
        first, second = frame.atomic_numbers[pairs.first], frame.atomic_numbers[pairs.second]
        # Each half pair is seen from both of its ends.
        weight = ((first == z_a) & (second == z_b)).astype(float)
        weight += (first == z_b) & (second == z_a)
        counts += np.histogram(pairs.distances, bins=edges, weights=weight)[0]
        ideal += n_a * n_b / frame.volume * shells
        density += n_b / frame.volume / len(frames)
    return RadialDistribution(pair=pair, edges=edges, values=counts / ideal, density=density)
