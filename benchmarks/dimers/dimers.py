"""Counterpoise-corrected curves of Ar₂, ArKr and Kr₂ beside the reference pair potentials.

    python benchmarks/dimers/dimers.py             # writes dimers.json beside this file
    python benchmarks/dimers/dimers.py --check     # what cutoff and box change at one distance

Functional, pseudopotential, basis and dispersion are those of the data set. Cutoff and box are
smaller (CUTOFF, GAP): differences of energies on one grid need less than basin energies do, and
--check says what is left. Monomers are computed in the basis of the dimer, at the same places of
the same grid and box, and without it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.linalg import block_diag

from zeroflux.frames import Frame
from zeroflux.labelling.dispersion import dispersion_energies
from zeroflux.labelling.gth_data import basis_set, pseudopotential
from zeroflux.labelling.pyscf import PyscfEngine
from zeroflux.sampling import NOBLE_GASES, dimer
from zeroflux.units import ANGSTROM, MILLIELECTRONVOLT

OUT = Path(__file__).with_suffix(".json")
CUTOFF = 140.0  # hartree
GAP = 9.0  # Å between the nuclei of neighbouring images
FREE_BOX = 120.0 * ANGSTROM  # for dispersion without images
DISTANCES = {
    ("Ar", "Ar"): (3.3, 3.5, 3.65, 3.8, 3.95, 4.15, 4.5, 5.2),
    ("Ar", "Kr"): (3.4, 3.6, 3.75, 3.9, 4.05, 4.25, 4.6, 5.3),
    ("Kr", "Kr"): (3.5, 3.7, 3.85, 4.0, 4.15, 4.35, 4.7, 5.4),
}


def engine_at(cutoff: float = CUTOFF) -> PyscfEngine:
    """The engine of the labels, converged tightly, on a coarser grid."""
    tight = PyscfEngine(density_cutoff=cutoff, energy_tolerance=1e-7, gradient_tolerance=1e-4)
    return tight.prepared(["Ar", "Kr"])


def ghost_cell(engine: PyscfEngine, frame: Frame, symbols: list[str]) -> Any:
    """Cell in which some atoms are basis functions only (symbols ``ghost-Ar``)."""
    from pyscf.pbc import gto

    cell = gto.Cell()
    cell.a, cell.unit, cell.verbose = frame.cell, "B", 0
    cell.atom = [[s, r] for s, r in zip(symbols, frame.positions, strict=True)]
    cell.basis = {s: basis_set(engine.basis, s.removeprefix("ghost-")) for s in set(symbols)}
    real = {s for s in symbols if not s.startswith("ghost-")}
    cell.pseudo = {s: pseudopotential(engine.pseudopotential, s) for s in real}
    cell.ke_cutoff, cell.precision = engine.density_cutoff, engine.precision
    cell.build(dump_input=False, parse_arg=False)
    return cell


def energy(engine: PyscfEngine, frame: Frame, symbols: list[str]) -> float:
    """SCF energy without dispersion (hartree); ghosts start empty."""
    cell = ghost_cell(engine, frame, symbols)
    blocks = [
        engine.isolated_atoms[s.removeprefix("ghost-")].density_matrix
        * (0.0 if s.startswith("ghost-") else 1.0)
        for s in symbols
    ]
    solver = engine._solver(cell)
    found = float(solver.kernel(dm0=block_diag(*blocks)))
    if not solver.converged:
        raise SystemExit(f"{symbols} did not converge")
    return found


def interaction(
    first: str, second: str, distance: float, *, engine: PyscfEngine, gap: float = GAP
) -> dict[str, float]:
    """Interaction energies of a dimer at a distance (Å), in meV."""
    pair = dimer(first, second, distance=distance * ANGSTROM, box_length=3 * distance * ANGSTROM)
    edges = np.array([distance + gap, gap, gap]) * ANGSTROM
    # The middle of the dimer lies at the origin of the grid, so that like atoms are images of
    # each other under the symmetry of the grid.
    half = 0.5 * distance * ANGSTROM * np.array([1.0, 0.0, 0.0])
    frame = Frame(pair.atomic_numbers, np.array([-half, half]), np.diag(edges))
    together = energy(engine, frame, [first, second])
    with_ghost = [energy(engine, frame, [first, f"ghost-{second}"])]
    with_ghost.append(
        with_ghost[0] if first == second else energy(engine, frame, [f"ghost-{first}", second])
    )
    alone = [
        energy(engine, Frame(frame.atomic_numbers[[k]], frame.positions[[k]], frame.cell), [s])
        for k, s in enumerate([first, second][: 1 if first == second else 2])
    ]
    alone = alone * 2 if first == second else alone
    free = dimer(first, second, distance=distance * ANGSTROM, box_length=FREE_BOX)
    dispersion = dispersion_energies(free, functional="PBE").sum()
    mev = MILLIELECTRONVOLT
    return {
        "distance_angstrom": distance,
        "uncorrected_mev": float((together - sum(alone) + dispersion) / mev),
        "corrected_mev": float((together - sum(with_ghost) + dispersion) / mev),
        "counterpoise_mev": float((sum(alone) - sum(with_ghost)) / mev),
        "dispersion_mev": float(dispersion / mev),
        "reference_mev": float(
            NOBLE_GASES.curve(first, second).energy(np.array([distance * ANGSTROM]))[0] / mev
        ),
    }


def minimum(distances: np.ndarray, energies: np.ndarray) -> tuple[float, float]:
    """Minimum of a cubic spline through the points: distance and energy."""
    from scipy.interpolate import CubicSpline
    from scipy.optimize import minimize_scalar

    spline = CubicSpline(distances, energies)
    lowest = int(np.argmin(energies))
    bracket = distances[max(lowest - 1, 0)], distances[min(lowest + 1, len(distances) - 1)]
    found = minimize_scalar(spline, bounds=bracket, method="bounded")
    return float(found.x), float(found.fun)


def curves() -> None:
    """All curves, written after every point."""
    engine = engine_at()
    records: dict[str, Any] = {"cutoff_hartree": CUTOFF, "gap_angstrom": GAP, "curves": {}}
    for (first, second), distances in DISTANCES.items():
        points: list[dict[str, float]] = []
        for distance in distances:
            points.append(interaction(first, second, distance, engine=engine))
            print(first, second, {k: round(v, 3) for k, v in points[-1].items()}, flush=True)
            records["curves"][f"{first}{second}"] = points
            OUT.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


def check() -> None:
    """Corrected energy near the minimum at other cutoffs and boxes (meV)."""
    for cutoff, gap in ((CUTOFF, GAP), (CUTOFF, 12.0), (220.0, GAP)):
        engine = engine_at(cutoff)
        for symbol, distance in (("Ar", 3.8), ("Kr", 4.0)):
            point = interaction(symbol, symbol, distance, engine=engine, gap=gap)
            print(
                f"{symbol}2 {cutoff:.0f} Ha, gap {gap} Å: {point['corrected_mev']:.3f} meV, "
                f"counterpoise {point['counterpoise_mev']:.3f} meV",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check() if parser.parse_args().check else curves()
