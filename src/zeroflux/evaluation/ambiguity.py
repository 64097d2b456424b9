"""What totals leave open: networks that agree on totals and not on local energies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Ambiguity:
    """Differences between networks that differ by their seed only."""

    n_pairs: int
    total: float
    """Root-mean-square difference of totals per atom over pairs of networks (hartree)."""
    local: float
    """Root-mean-square difference of local energies over the same pairs (hartree)."""
    expected: float
    """Local difference if the differences of totals were shared out evenly (hartree): what is
    there without any ambiguity."""

    @property
    def ratio(self) -> float:
        """Local difference over the one that totals explain; 1 says that nothing is open."""
        return self.local / self.expected if self.expected > 0 else float("nan")


def ambiguity(
    local_energy: Float[np.ndarray, "n_models n_atoms"],
    *,
    group: Int[np.ndarray, " n_atoms"],
    configuration: Int[np.ndarray, " n_atoms"],
) -> Ambiguity:
    r"""Differences between all pairs of models, of totals and of local energies.

    Local differences are centred within `group` (a species in a system), totals within their
    systems accordingly, since constants are a gauge. For a pair of models with difference
    :math:`d_i` of the local energies, the total differs by :math:`\bar d_c` per atom of
    configuration c; ``expected`` is the root mean square of :math:`\bar d_c`, ``local`` that of
    :math:`d_i`.

    Raises
    ------
    ValueError
        If there are fewer than two models.
    """
    n_models = len(local_energy)
    if n_models < 2:
        raise ValueError(
            f"Found {n_models} model; expected at least two that differ by their seed."
        )
    centred = local_energy - _group_means(local_energy, group)
    total = _group_means(centred, configuration)
    return Ambiguity(
        n_pairs=n_models * (n_models - 1) // 2,
        total=_pair_difference(_per_configuration(total, configuration)),
        local=_pair_difference(centred),
        expected=_pair_difference(total),
    )


def _group_means(values: np.ndarray, code: np.ndarray) -> np.ndarray:
    """Mean of each row over the atoms of one code, at every atom."""
    found, inverse = np.unique(code, return_inverse=True)
    sums = np.zeros((len(found), len(values)))
    np.add.at(sums, inverse, values.T)
    return (sums / np.bincount(inverse)[:, None])[inverse].T


def _per_configuration(values: np.ndarray, configuration: np.ndarray) -> np.ndarray:
    """One column per configuration of what is equal for its atoms."""
    return values[:, np.unique(configuration, return_index=True)[1]]


def _pair_difference(values: np.ndarray) -> float:
    """Root-mean-square difference between rows, over all pairs and columns."""
    # ⟨(a − b)²⟩ over distinct pairs is twice the unbiased variance over rows.
    return float(np.sqrt(2.0 * values.var(axis=0, ddof=1).mean()))
