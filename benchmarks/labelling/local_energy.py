"""Why basin energies of CP2K's LOCAL_ENERGY_CUBE are not those of the direct decomposition.

    python benchmarks/labelling/local_energy.py -o benchmarks/labelling/local_energy.json

CP2K solves one Ar/Kr configuration in two basis sets and writes its local energy. From its
orbitals the residual density Σ f ψ(Hψ − εψ) is built here, term by term, and integrated over the
basins. docs/decisions/local-energy.md has the equations and the reading.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy import fft

from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.labelling.cp2k import Cp2kEngine
from zeroflux.labelling.cp2k_band_form import band_form_energies
from zeroflux.labelling.electrostatics import coulomb_potential
from zeroflux.labelling.energy_density import FIELDS, EnergyDensities
from zeroflux.labelling.gth_data import closed_shell_ions
from zeroflux.labelling.pseudopotential import short_range_potential
from zeroflux.labelling.pyscf import PyscfEngine, Solution
from zeroflux.partition import refined_basins
from zeroflux.sampling import StatePoint, sample_liquid
from zeroflux.units import MILLIELECTRONVOLT

BASES = ("DZVP-MOLOPT-PBE-GTH-q8", "TZV2P-MOLOPT-PBE-GTH-q8")
CORE_RADIUS = 2.5  # bohr; the projectors of the pseudopotentials have decayed long before


def liquid() -> Frame:
    """Eight argon and nine krypton atoms of a liquid."""
    state = StatePoint({"Ar": 8, "Kr": 9}, temperature_kelvin=110.0, density_per_angstrom3=0.0185)
    return sample_liquid(state, n_frames=1, seed=7).frames[0]


def xc_potential(density: np.ndarray, grid: UniformGrid, functional: str) -> np.ndarray:
    r"""v_xc = ∂(ρε)/∂ρ − ∇·∂(ρε)/∂∇ρ, derivatives by Fourier transform as in both programs."""
    from pyscf.dft.numint import NumInt

    wave_vectors = grid.reciprocal_vectors()
    spectrum = np.asarray(fft.rfftn(density))
    variables = np.empty((4, grid.n_points))
    variables[0] = density.ravel()
    for axis in range(3):
        gradient = fft.irfftn(1j * wave_vectors[..., axis] * spectrum, s=grid.shape)
        variables[1 + axis] = np.asarray(gradient).ravel()
    vxc = NumInt().eval_xc_eff(functional, variables, deriv=1, xctype="GGA")[1]
    divergence = sum(
        1j * wave_vectors[..., axis] * np.asarray(fft.rfftn(vxc[1 + axis].reshape(grid.shape)))
        for axis in range(3)
    )
    return vxc[0].reshape(grid.shape) - np.asarray(fft.irfftn(divergence, s=grid.shape))


def residual_density(
    frame: Frame, orbitals: np.ndarray, basis: str
) -> tuple[EnergyDensities, np.ndarray, float]:
    """Energy densities, Σ f ψ(Hψ − εψ) but for its non-local part, its projection on the basis."""
    from pyscf.pbc.dft.gen_grid import UniformGrids

    evaluator = PyscfEngine(basis=basis)
    solver = evaluator._solver(evaluator._cell(frame))
    cell = solver.cell
    matrix = 2.0 * orbitals @ orbitals.T
    fock = np.asarray(solver.get_hcore() + solver.get_veff(cell, matrix))
    solution = Solution(orbitals, float("nan"), True, 0, 0.0, 0.0)
    found = evaluator._densities(frame, solver, solution, since=(0.0, 0.0))
    grid, density = found.grid, found.density
    ions = closed_shell_ions(frame, evaluator.pseudopotential)
    # PySCF's potential of the Gaussian ion charges has the average of that of point charges
    # less theirs; here, in the labels and in CP2K the average is zero.
    overlap = np.asarray(cell.pbc_intor("int1e_ovlp").real)
    average = 2.0 * np.pi * float(ions.charges @ ions.widths**2) / frame.volume
    fock -= average * overlap
    # Σ f ε|ψ|² for any rotation of the orbitals among themselves.
    weighted = 2.0 * orbitals @ (orbitals.T @ fock @ orbitals) @ orbitals.T
    band = solver._numint.get_rho(cell, weighted, UniformGrids(cell)).reshape(grid.shape)
    smeared = found.reference - density
    potential = -coulomb_potential(smeared - density, grid)
    potential += short_range_potential(
        frame, grid, widths=ions.widths, coefficients=ions.coefficients
    )
    potential += xc_potential(density, grid, evaluator.functional)
    kinetic = found.fields["kinetic"] - 0.25 * found.laplacian
    outside = fock @ orbitals - overlap @ orbitals @ (orbitals.T @ fock @ orbitals)
    return found, kinetic + density * potential - band, float(np.abs(outside).max())


def nearest_distance(frame: Frame, points: np.ndarray) -> np.ndarray:
    inverse = np.linalg.inv(frame.cell)
    smallest = np.full(len(points), np.inf)
    for position in frame.positions:
        offset = (points - position) @ inverse
        offset = (offset - np.round(offset)) @ frame.cell
        smallest = np.minimum(smallest, np.einsum("px,px->p", offset, offset))
    return np.sqrt(smallest)


def study(frame: Frame, basis: str) -> dict[str, Any]:
    engine = Cp2kEngine(basis=basis, convergence=1e-7)
    band_form = band_form_energies(frame, engine=engine)
    with engine.calculation(frame) as calculation:
        orbitals = engine.solution(frame, calculation).orbitals
    found, density_of_residual, projection = residual_density(frame, orbitals, basis)
    partition = refined_basins(
        found.density, found.grid, frame, reference=found.reference, factors=(1, 2)
    )
    far = nearest_distance(frame, found.grid.points().reshape(-1, 3)).reshape(found.grid.shape)
    outer = np.where(far > CORE_RADIUS, density_of_residual, 0.0)
    *terms, residual, tail, laplacian = partition.integrate(
        *(found.fields[name] for name in FIELDS), density_of_residual, outer, found.laplacian
    )
    atomic = sum(found.atomic.values())
    direct = sum(terms) + atomic
    # What the grid does not see: the non-local pseudopotential, and what sharp primitives miss.
    residual = residual + found.atomic["pseudo_nonlocal"] + found.atomic["kinetic"]
    difference = band_form - direct
    result: dict[str, Any] = {
        "basis": basis,
        "n_functions": int(orbitals.shape[0]),
        "total_energy_per_atom_mev": float(direct.sum() / frame.n_atoms / MILLIELECTRONVOLT),
        "residual_of_cell_per_atom_mev": mev(residual.mean()),
        "largest_projection_on_basis_hartree": projection,
        "largest_gauge_of_kinetic_mev": mev(np.abs(0.25 * laplacian).max()),
    }
    for symbol, number in (("Ar", 18), ("Kr", 36)):
        of = frame.atomic_numbers == number
        explained = difference[of] + residual[of]
        result[symbol] = {
            "spread_direct_mev": mev(direct[of].std()),
            "spread_band_form_mev": mev(band_form[of].std()),
            "mean_difference_mev": mev(difference[of].mean()),
            "rms_difference_mev": mev(difference[of].std()),
            "correlation": float(np.corrcoef(band_form[of], direct[of])[0, 1]),
            "rms_residual_mev": mev(residual[of].std()),
            "rms_outer_residual_mev": mev(tail[of].std()),
            "rms_left_unexplained_mev": mev(explained.std()),
            "mean_left_unexplained_mev": mev(explained.mean()),
        }
    return result


def mev(value: float) -> float:
    return round(float(value) / MILLIELECTRONVOLT, 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bases", nargs="+", default=BASES)
    parser.add_argument("-o", "--out", type=Path, required=True)
    arguments = parser.parse_args()
    frame = liquid()
    results = []
    for basis in arguments.bases:
        results.append(study(frame, basis))
        print(json.dumps(results[-1], indent=1), flush=True)
    arguments.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
