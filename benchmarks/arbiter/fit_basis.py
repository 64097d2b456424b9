"""Exponents of s and p of the labels' basis: the free atom's orbitals, tails included.

    python benchmarks/arbiter/fit_basis.py Kr 5 --smallest 0.07 --largest 4.4

The valence orbitals of the pseudo-atom (PBE, GTH-PBE-q8) in a large even-tempered set are the
target. K exponents are moved (Powell, then Nelder and Mead, from ten random starts) to minimise

    J = ∫ (Δu')² dr + ∫ (Δu)² dr + w² ∫_{2..7 bohr} (Δu/u)² dr,    w = 0.01,

with u = r R(r): kinetic energy, norm, and the relative error of the tail where neighbours meet. The
bounds keep the set off nearly dependent functions (smallest) and sharp ones (largest), which a grid
of 220 hartree would not hold. The energy above the target's is printed in meV.
"""

import argparse

import numpy as np
from pyscf import dft, gto
from scipy.optimize import minimize
from scipy.special import gamma

from zeroflux.labelling.gth_data import pseudopotential
from zeroflux.units import MILLIELECTRONVOLT

RADIUS = np.linspace(0.005, 11.0, 2200)
STEP = RADIUS[1] - RADIUS[0]
TAIL = (RADIUS > 2.0) & (RADIUS < 7.0)
TAIL_WEIGHT = 0.01
LARGE = 0.02 * 1.45 ** np.arange(19)


def primitive(l_shell: int, exponent: float) -> tuple[np.ndarray, np.ndarray]:
    """u(r) of a normalised Gaussian, and its derivative."""
    norm = np.sqrt(2.0 * (2.0 * exponent) ** (l_shell + 1.5) / gamma(l_shell + 1.5))
    gaussian = norm * np.exp(-exponent * RADIUS**2)
    power = RADIUS**l_shell
    return power * RADIUS * gaussian, gaussian * (
        (l_shell + 1) * power - 2.0 * exponent * power * RADIUS**2
    )


def atom(symbol: str, exponents: list[np.ndarray]) -> dft.rks.RKS:
    """Converged free atom in uncontracted s and p functions."""
    basis = [[shell, [a, 1.0]] for shell, values in enumerate(exponents) for a in values]
    mol = gto.M(
        atom=[(symbol, (0, 0, 0))],
        basis={symbol: basis},
        pseudo={symbol: pseudopotential("GTH-PBE-q8", symbol)},
        verbose=0,
    )
    solver = dft.RKS(mol)
    solver.xc, solver.grids.level, solver.conv_tol = "pbe", 6, 1e-11
    solver.kernel()
    return solver


def orbital(solver: dft.rks.RKS, l_shell: int) -> tuple[np.ndarray, np.ndarray]:
    """u(r) of the valence s or p orbital, and its derivative."""
    if l_shell == 0:
        coefficients = solver.mo_coeff[: len(LARGE), 0]
    else:  # three functions of one exponent in a row; every direction has the same radial part
        block = solver.mo_coeff[len(LARGE) :, 1].reshape(len(LARGE), 3)
        left, sizes, _ = np.linalg.svd(block, full_matrices=False)
        coefficients = left[:, 0] * sizes[0]
    values, slopes = zip(*(primitive(l_shell, a) for a in LARGE), strict=True)
    return coefficients @ np.array(values), coefficients @ np.array(slopes)


def rows(value: np.ndarray, slope: np.ndarray, target: np.ndarray) -> np.ndarray:
    """What J sums the squares of, for a difference from the target."""
    tail = np.where(TAIL, TAIL_WEIGHT / np.abs(target), 0.0)
    return np.sqrt(STEP) * np.concatenate([slope, value, tail * value])


def objective(logs: np.ndarray, l_shell: int, target: tuple[np.ndarray, np.ndarray]) -> float:
    """J of the best combination of these exponents; large where two are nearly the same."""
    exponents = np.exp(np.sort(logs))
    if np.any(np.diff(np.log(exponents)) < 0.25):
        return 1e3
    columns = [rows(*primitive(l_shell, a), target[0]) for a in exponents]
    matrix, wanted = np.stack(columns, axis=1), rows(*target, target[0])
    best = np.linalg.lstsq(matrix, wanted, rcond=None)[0]
    return float(((matrix @ best - wanted) ** 2).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("symbol")
    parser.add_argument("count", type=int, help="exponents of s, and of p")
    parser.add_argument("--smallest", type=float, default=0.085)
    parser.add_argument("--largest", type=float, default=4.4)
    parser.add_argument("--starts", type=int, default=10)
    chosen = parser.parse_args()
    exact = atom(chosen.symbol, [LARGE, LARGE])
    low, high = np.log(chosen.smallest), np.log(chosen.largest)
    rng = np.random.default_rng(0)
    found = []
    for l_shell in (0, 1):
        target = orbital(exact, l_shell)

        def penalised(
            x: np.ndarray,
            l_shell: int = l_shell,
            target: tuple[np.ndarray, np.ndarray] = target,
        ) -> float:
            outside = max(0.0, low - x.min()) ** 2 + max(0.0, x.max() - high) ** 2
            return objective(x, l_shell, target) + 1e3 * outside

        results = []
        for _ in range(chosen.starts):
            start = np.linspace(low + rng.uniform(0, 0.3), high - rng.uniform(0, 0.5), chosen.count)
            once = minimize(penalised, start, method="Powell", options={"maxiter": 60})
            options = {"maxfev": 3000, "fatol": 1e-14, "adaptive": True}
            results.append(minimize(penalised, once.x, method="Nelder-Mead", options=options))
        best = min(results, key=lambda result: result.fun)
        found.append(np.exp(np.sort(best.x)))
        print("sp"[l_shell], found[-1].round(4).tolist(), f"J = {best.fun:.1e}")
    above = (atom(chosen.symbol, found).e_tot - exact.e_tot) / MILLIELECTRONVOLT
    print(f"{above:.1f} meV above the large set")


if __name__ == "__main__":
    main()
