"""Basin energies of dimers and a trimer with all electrons, by quadrature in the basins.

    python benchmarks/all_electron/energies.py

The labels have pseudopotentials, a periodic box and a grid; here are all electrons, a molecule and
quadrature about the nuclei. What the two share is the functional and the definition: τ, ρε_xc and
half of each electrostatic interaction, integrated over the basin of the atom,

    E_A = ∫_Ω_A (τ + ρ ε_xc − ½ ρ V) dr + ½ Z_A V'(R_A),   V = Σ_B Z_B/|r − R_B| − V_H,

V' without the nucleus's own potential. Each ray from a nucleus ends where the ascent of the density
leads to another one, found by bisection. Energies are counted from the free atom's in the basis of
the whole molecule (counterpoise). The sum over the atoms is held against the SCF energy. Writes
energies.json beside this file; no dispersion.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from numpy.polynomial.legendre import leggauss
from pyscf import dft, gto

ANGSTROM = 1.0 / 0.529177210903
MEV = 27211.386245988
OUT = Path(__file__).with_suffix(".json")
FUNCTIONAL = "PBE"
N_ANGULAR = 590
N_RADIAL = 140
R_CORE, R_MAX = 2.0, 24.0  # bohr: within the first every point is the atom's own
SYSTEMS = {
    **{f"Ar2 {d}": (("Ar", "Ar"), d) for d in (3.5, 3.95)},
    **{f"Kr2 {d}": (("Kr", "Kr"), d) for d in (3.95,)},
    **{f"ArKr {d}": (("Ar", "Kr"), d) for d in (3.5, 3.95)},
    "ArKr2 3.95": (("Ar", "Kr", "Kr"), 3.95),
}


class Molecule:
    """Fields of a converged all-electron calculation at any point."""

    def __init__(self, symbols: tuple[str, ...], positions: np.ndarray, basis: str) -> None:
        atoms = list(zip(symbols, positions, strict=True))
        self.mol = gto.M(atom=atoms, unit="B", basis=basis, verbose=0)
        solver = dft.RKS(self.mol)
        solver.xc, solver.conv_tol, solver.conv_tol_grad = FUNCTIONAL, 1e-11, 1e-6
        solver.grids.level = 7
        solver.kernel()
        if not solver.converged:
            sys.exit(f"The SCF of {symbols} did not converge.")
        self.energy = float(solver.e_tot)
        self.occupied = solver.mo_coeff[:, solver.mo_occ > 0]
        self.matrix = np.asarray(solver.make_rdm1())
        self.nuclei = self.mol.atom_coords()
        self.charges = self.mol.atom_charges()

    def slope(self, points: np.ndarray) -> np.ndarray:
        """∇ρ (points, 3)."""
        values = self.mol.eval_gto("GTOval_sph_deriv1", points)
        psi = values @ self.occupied
        return 4.0 * np.einsum("gi,xgi->gx", psi[0], psi[1:])

    def energy_density(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Density, and τ + ρε_xc − ½ρV."""
        values = self.mol.eval_gto("GTOval_sph_deriv1", points)
        psi = values @ self.occupied
        rho = np.empty((4, len(points)))
        rho[0] = 2.0 * np.einsum("gi,gi->g", psi[0], psi[0])
        rho[1:] = 4.0 * np.einsum("gi,xgi->xg", psi[0], psi[1:])
        tau = np.einsum("xgi,xgi->g", psi[1:], psi[1:])
        per_electron = dft.libxc.eval_xc(FUNCTIONAL, rho, deriv=0)[0]
        distances = np.linalg.norm(points[:, None] - self.nuclei, axis=2)
        potential = (self.charges / distances).sum(axis=1) - self.hartree(points)
        return rho[0], tau + rho[0] * (per_electron - 0.5 * potential)

    def hartree(self, points: np.ndarray) -> np.ndarray:
        """Potential of the electrons, positive."""
        found = [
            np.einsum("gij,ij->g", self.mol.intor("int1e_grids", grids=part), self.matrix)
            for part in np.array_split(points, max(1, len(points) // 400))
        ]
        return np.concatenate(found)

    def owners(self, points: np.ndarray) -> np.ndarray:
        """Nucleus to which the ascent of the density leads from each point."""
        points, found = points.copy(), np.full(len(points), -1)
        todo = np.arange(len(points))
        for _ in range(2000):
            distances = np.linalg.norm(points[todo, None] - self.nuclei, axis=2)
            near = distances.argmin(axis=1)
            done = distances.min(axis=1) < 0.9 * R_CORE
            found[todo[done]] = near[done]
            todo = todo[~done]
            if not len(todo):
                return found
            step = 0.15 * np.minimum(1.0, distances[~done].min(axis=1))[:, None]
            here = points[todo]
            middle = here + 0.5 * step * _unit(self.slope(here))
            points[todo] = here + step * _unit(self.slope(middle))
        sys.exit(f"{len(todo)} ascents did not end at a nucleus.")


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1)[:, None].clip(min=1e-300)


def directions() -> tuple[np.ndarray, np.ndarray]:
    """Lebedev directions, tilted off the axis of the molecule, and their weights (sum 4π)."""
    grid = dft.LebedevGrid.MakeAngularGrid(N_ANGULAR)
    tilt = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    return grid[:, :3] @ tilt, 4.0 * np.pi * grid[:, 3]


def reaches(molecule: Molecule, atom: int, rays: np.ndarray) -> np.ndarray:
    """Radius at which each ray from an atom leaves its basin, at most R_MAX."""
    centre = molecule.nuclei[atom]
    trial = np.concatenate([np.linspace(R_CORE, 8.0, 25), np.linspace(9.0, R_MAX, 16)])
    points = centre + trial[:, None, None] * rays
    own = (molecule.owners(points.reshape(-1, 3)) == atom).reshape(len(trial), len(rays))
    first = np.where(own.all(axis=0), len(trial), np.argmin(own, axis=0))
    reach = np.full(len(rays), R_MAX)
    cut = np.flatnonzero(first < len(trial))
    low, high = trial[first[cut] - 1], trial[first[cut]]
    for _ in range(22):
        middle = 0.5 * (low + high)
        inside = molecule.owners(centre + middle[:, None] * rays[cut]) == atom
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    reach[cut] = 0.5 * (low + high)
    return reach


def atom_energy(molecule: Molecule, atom: int) -> tuple[float, float]:
    """Population and energy (hartree) of one atom's basin, nuclear part included."""
    rays, weights = directions()
    reach = reaches(molecule, atom, rays) if len(molecule.nuclei) > 1 else np.full(len(rays), R_MAX)
    t, w = leggauss(N_RADIAL)
    t, w = 0.5 * (t + 1.0), 0.5 * w
    population = energy = 0.0
    # The core by r = R t³, which crowds points at the nucleus; the rest up to the surface.
    pieces = [
        (np.zeros_like(reach), np.full_like(reach, R_CORE), 3),
        (np.full_like(reach, R_CORE), reach, 2),
    ]
    for start, end, power in pieces:
        radii = start + (end - start) * t[:, None] ** power
        measure = (
            power * t[:, None] ** (power - 1) * (end - start) * radii**2 * w[:, None] * weights
        )
        points = molecule.nuclei[atom] + radii[..., None] * rays
        rho, density = molecule.energy_density(points.reshape(-1, 3))
        population += float(rho @ measure.ravel())
        energy += float(density @ measure.ravel())
    others = np.delete(np.arange(len(molecule.nuclei)), atom)
    gaps = np.linalg.norm(molecule.nuclei[others] - molecule.nuclei[atom], axis=1)
    potential = (molecule.charges[others] / gaps).sum() - molecule.hartree(molecule.nuclei[[atom]])[
        0
    ]
    return population, energy + 0.5 * molecule.charges[atom] * float(potential)


def positions_of(symbols: tuple[str, ...], distance: float) -> np.ndarray:
    """A dimer, or an equilateral trimer (bohr)."""
    corners = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, np.sqrt(0.75), 0.5]])
    return corners[: len(symbols)] * distance * ANGSTROM


def main() -> None:
    basis = sys.argv[1] if len(sys.argv) > 1 else "aug-cc-pvtz"
    rows = json.loads(OUT.read_text()) if OUT.exists() else []
    known = {(row["system"], row["basis"]) for row in rows}
    for name, (symbols, distance) in SYSTEMS.items():
        if (name, basis) in known:
            continue
        positions = positions_of(symbols, distance)
        molecule = Molecule(symbols, positions, basis)
        found = [atom_energy(molecule, k) for k in range(len(symbols))]
        closure = molecule.energy - sum(energy for _, energy in found)
        for k, (symbol, (population, energy)) in enumerate(zip(symbols, found, strict=True)):
            ghosts = tuple(s if i == k else f"ghost-{s}" for i, s in enumerate(symbols))
            free = Molecule(ghosts, positions, basis)
            row = {
                "system": name,
                "basis": basis,
                "atom": k,
                "symbol": symbol,
                "charge": float(molecule.charges[k] - population),
                "energy_mev": (energy + closure / len(symbols) - free.energy) * MEV,
                "closure_mev": closure * MEV / len(symbols),
            }
            rows.append(row)
            print(row, flush=True)
        OUT.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
