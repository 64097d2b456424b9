"""Whether a small box of liquid has frozen."""

from __future__ import annotations

import itertools

import numpy as np

from zeroflux.frames import Frame


def translational_order(frame: Frame, *, max_index: int = 5) -> float:
    r"""Largest structure factor per atom over the wave vectors of the cell.

    .. math:: \max_k |\rho_k|^2 / N^2, \qquad \rho_k = \sum_j e^{i k \cdot r_j}

    It is 1 for a perfect crystal that fits into the cell. In a disordered fluid of N atoms the
    largest of many random structure factors is of the order of 8/N to 12/N, so that the number
    says little below about a dozen atoms. Boxes of 16 atoms at liquid density near the triple
    point do freeze: the periodic images stabilise lattices that fit.

    Parameters
    ----------
    frame
        Atoms in their cell.
    max_index
        Wave vectors reach up to this multiple of each reciprocal lattice vector.
    """
    indices = np.array(
        [n for n in itertools.product(range(-max_index, max_index + 1), repeat=3) if n > (0, 0, 0)]
    )
    modes = np.exp(2j * np.pi * frame.fractional_positions @ indices.T).sum(axis=0)
    return float((np.abs(modes) ** 2).max() / frame.n_atoms**2)
