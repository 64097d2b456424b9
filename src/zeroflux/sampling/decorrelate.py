r"""How long a simulation remembers: autocorrelation time, equilibration, stride.

The statistical inefficiency is g = 1 + 2 Σ_t C(t), with C the normalised autocorrelation
function; the integrated autocorrelation time is τ = g/2, in steps of the series.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num


def autocorrelation_function(
    series: Num[np.ndarray, "... n_steps"],
) -> Float[np.ndarray, " n_steps"]:
    r"""Normalised autocorrelation, :math:`C(t) = \langle\delta A_0\,\delta A_t\rangle/\sigma^2`.

    Of several equivalent series (one row per atom, say) the covariances are averaged, about
    their common mean. Computed by FFT with zero padding; each lag is divided by its own number
    of pairs. A constant series has no correlation function: C(0) = 1 and 0 elsewhere is
    returned.
    """
    values = np.atleast_2d(np.asarray(series, dtype=np.float64))
    n_steps = values.shape[-1]
    centred = values - values.mean()
    correlation = np.zeros(n_steps)
    correlation[0] = 1.0
    # Rounding leaves a constant series with a spread of the order of its own epsilon.
    if centred.std() <= 1e-12 * np.abs(values).max():
        return correlation
    n_padded = 1 << (2 * n_steps - 1).bit_length()
    spectrum = np.fft.rfft(centred, n_padded)
    raw = np.fft.irfft((np.abs(spectrum) ** 2).mean(axis=0), n_padded)[:n_steps]
    raw /= np.arange(n_steps, 0, -1)
    return raw / raw[0]


def statistical_inefficiency(
    series: Num[np.ndarray, "... n_steps"], *, window_factor: float = 6.0
) -> float:
    r"""Statistical inefficiency g = 2τ of a stationary series, at least 1.

    .. math:: g(W) = 1 + 2\sum_{t=1}^{W} C(t),\quad
              W = \min\{W : W \ge c\,g(W)/2\}

    Sokal's self-consistent window: summing the noise of all lags would not converge. With
    c = 6 the bias of an exponential decay is exp(-6).

    Parameters
    ----------
    series
        Observable at equal steps; several equivalent series may be given as rows.
    window_factor
        c above.

    References
    ----------
    Sokal, in *Functional Integration* (1997), doi 10.1007/978-1-4899-0319-8_6, section 3;
    Chodera, Swope, Pitera, Seok, Dill, J. Chem. Theory Comput. 3, 26 (2007),
    doi 10.1021/ct0502864, for g.
    """
    running = 2.0 * np.cumsum(autocorrelation_function(series)) - 1.0
    lags = np.arange(len(running))
    inside = np.flatnonzero(lags >= window_factor * 0.5 * running)
    window = inside[0] if inside.size else len(running) - 1
    return max(1.0, float(running[window]))


@dataclass(frozen=True)
class Equilibration:
    """Where a series becomes stationary."""

    start: int
    """First step of the stationary part."""
    inefficiency: float
    """Statistical inefficiency of the stationary part (steps)."""
    n_effective: float
    """Number of uncorrelated samples in the stationary part."""


def detect_equilibration(
    series: Num[np.ndarray, " n_steps"], *, n_candidates: int = 20
) -> Equilibration:
    r"""Start of the stationary part: the t₀ that maximises (N − t₀)/g(t₀).

    A transient kept inflates g, data thrown away shrink N: the number of effective samples is
    largest between. Candidates are spread over the first nine tenths of the series.

    References
    ----------
    Chodera, J. Chem. Theory Comput. 12, 1799 (2016), doi 10.1021/acs.jctc.5b00784, eq. 10.
    """
    n_steps = len(series)
    best = Equilibration(start=0, inefficiency=float(max(n_steps, 1)), n_effective=0.0)
    for start in np.unique(np.linspace(0, 0.9 * n_steps, n_candidates).astype(int)):
        inefficiency = statistical_inefficiency(series[start:])
        n_effective = (n_steps - start) / inefficiency
        if n_effective > best.n_effective:
            best = Equilibration(int(start), inefficiency, float(n_effective))
    return best


def decorrelation_stride(inefficiency: float) -> int:
    """Steps between samples that leave a correlation of exp(-4), about 2 percent.

    For an exponential decay C(t) = exp(-t/τ) with τ = g/2 that is t = 2 g.
    """
    return max(1, int(np.ceil(2.0 * inefficiency)))
