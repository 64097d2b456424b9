"""Kohn-Sham energy densities from PySCF: Γ point, Gaussian basis, GTH pseudopotentials."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase.data import chemical_symbols
from jaxtyping import Float

from zeroflux.errors import LabelError
from zeroflux.frames import Frame, isolated_atom
from zeroflux.grids import UniformGrid
from zeroflux.labelling.electrostatics import (
    coulomb_potential,
    gaussian_charges,
    gaussian_self_energy,
    ion_energies,
)
from zeroflux.labelling.energy_density import EnergyDensities
from zeroflux.labelling.forces import kohn_sham_forces
from zeroflux.labelling.gth_data import (
    DEFAULT_BASIS,
    basis_set,
    closed_shell_ions,
    periodic_pyscf,
    pseudopotential,
    semilocal_parts,
)
from zeroflux.labelling.keys import content_key
from zeroflux.labelling.kinetic import kinetic_energy_density, sharp_primitive_corrections
from zeroflux.labelling.pseudopotential import nonlocal_energies, short_range_potential
from zeroflux.labelling.pyscf_partitions import electron_energies, free_atoms
from zeroflux.labelling.separable import is_rectangular, orbital_kinetic_energy_density
from zeroflux.partition import fourier_laplacian
from zeroflux.units import ANGSTROM

ISOLATED_BOX = 10.0 * ANGSTROM
"""Edge of the cubic box of an isolated atom (bohr)."""
COARSE_CUTOFF_RATIO = 0.4
"""Cutoff of the grid on which the orbitals are converged first, over that of the density."""
_NO_DENSITY = 1e-10
COARSE_PRECISION = 1e-6
"""Truncation of Gaussians and lattice sums while the orbitals are converged first."""


class IsolatedAtom(NamedTuple):
    """One atom alone: its energy, and the density matrix from which liquids start."""

    energy: float
    """Energy (hartree)."""
    density_matrix: Float[np.ndarray, "n_ao n_ao"]
    """Density matrix in the atom's basis functions."""


class Solution(NamedTuple):
    """A self-consistent field."""

    orbitals: Float[np.ndarray, "n_ao n_occupied"]
    """Doubly occupied orbitals."""
    total_energy: float
    """Energy without dispersion (hartree)."""
    is_converged: bool
    n_cycles: int
    wall_s: float
    cpu_s: float


# Fields that labels do not depend on; forces and partitions are added and change nothing else.
_NO_SETTINGS = ("isolated_atoms", "orbital_folder", "with_forces", "with_partitions")


@dataclass(frozen=True)
class PyscfEngine:
    """PySCF as an engine of labels.

    Deterministic: the same configuration and settings give the same numbers to rounding.
    """

    functional: str = "PBE"
    """Semilocal functional, a libxc name."""
    basis: str = DEFAULT_BASIS
    """Basis set of BASIS_ZEROFLUX or PySCF's BASIS_MOLOPT_UZH."""
    pseudopotential: str = "GTH-PBE-q8"
    """Pseudopotential of PySCF's POTENTIAL_UZH file."""
    density_cutoff: float = 220.0
    """Plane-wave cutoff of the density's grid (hartree)."""
    precision: float = 3e-9
    """Truncation of Gaussians and lattice sums (PySCF's ``cell.precision``)."""
    relative_cutoff: float = 2.0
    """PySCF's ``rel_cutoff`` r: a product of Gaussians with exponents summing to p goes to the
    first multigrid level whose cutoff is 2 p ln(2.8/precision) r^(−1/4) hartree or more. Smaller
    is finer. PySCF's default of 20 leaves ripples where the density is small, and at 4 with a
    precision of 1e-8 a product of krypton's is on too coarse a level: 0.2 meV in its atoms."""
    n_grid_levels: int = 5
    """Number of multigrid levels."""
    grid_level_ratio: float = 2.5
    """Ratio of the cutoffs of successive levels."""
    energy_tolerance: float = 1e-4
    """Largest change of the energy in the last SCF step (hartree)."""
    gradient_tolerance: float = 3e-3
    """Largest norm of the orbital gradient."""
    max_cycles: int = 40
    """SCF steps before a configuration counts as not converged."""
    with_forces: bool = False
    """Whether forces are evaluated too."""
    with_partitions: bool = False
    """Whether what the partitions beside the basins need is evaluated too."""
    isolated_atoms: Mapping[str, IsolatedAtom] = field(default_factory=dict)
    """Atoms already computed at these settings; see `prepared`."""
    orbital_folder: Path | None = None
    """Where converged orbitals and isolated atoms are kept, so that a change of what is made of
    them needs no new calculation; nowhere by default."""
    name: str = field(default="pyscf", init=False)

    def prepared(self, symbols: Iterable[str]) -> PyscfEngine:
        """Engine that knows the isolated atoms of these elements.

        Raises
        ------
        LabelError
            If an element has no basis or pseudopotential, or its atom does not converge.
        """
        atoms = dict(self.isolated_atoms)
        for symbol in sorted(set(symbols) - set(atoms)):
            atoms[symbol] = self._isolated_atom(symbol)
        return replace(self, isolated_atoms=atoms)

    @property
    def settings(self) -> dict[str, str | int | float]:
        """Everything that the labels depend on."""
        extras = ("with_forces", "with_partitions")
        return self._orbital_settings | {name: True for name in extras if getattr(self, name)}

    @property
    def _orbital_settings(self) -> dict[str, str | int | float]:
        """Everything that the orbitals depend on."""
        names = (f.name for f in fields(self) if f.name not in _NO_SETTINGS)
        return {name: getattr(self, name) for name in names}

    def energy_densities(self, frame: Frame) -> EnergyDensities:
        """Solve the Kohn-Sham equations and evaluate every term of the energy.

        Raises
        ------
        LabelError
            If an element has no basis or pseudopotential of these names, or the number of
            electrons is odd.
        """
        kept = self._kept(frame)
        if kept is not None:
            return self.densities_of_orbitals(frame, kept)
        solver = self._solver(self._cell(frame))
        solution = self._solve(frame, solver)
        return self._densities(frame, solver, solution, since=_clocks())

    def densities_of_orbitals(self, frame: Frame, solution: Solution) -> EnergyDensities:
        """Evaluate every term of the energy of orbitals that are known already.

        Parameters
        ----------
        frame
            Configuration.
        solution
            Orbitals in PySCF's order of functions, of any program that has the same basis, and the
            total energy that they belong to.
        """
        since = _clocks()
        solver = self._solver(self._cell(frame))
        solver.get_hcore()  # before the build, which adds the ions' long-range potential from here
        solver.get_veff(solver.cell, 2.0 * solution.orbitals @ solution.orbitals.T)
        return self._densities(frame, solver, solution, since=since)

    def isolated_atom_energy(self, symbol: str) -> float:
        """Energy of one atom in a large box at the same settings (hartree)."""
        return self.prepared([symbol]).isolated_atoms[symbol].energy

    def _isolated_atom(self, symbol: str) -> IsolatedAtom:
        frame = isolated_atom(symbol, box_length=ISOLATED_BOX)
        path = self._orbital_file(frame).with_suffix(".atom.npz")
        if self.orbital_folder is not None and path.exists():
            with np.load(path) as kept:
                return IsolatedAtom(kept["energy"].item(), kept["density_matrix"])
        # Most steps on a coarse grid, whose density matrix starts the one that counts.
        coarse = replace(self, density_cutoff=0.25 * self.density_cutoff)
        start = coarse._solver(coarse._cell(frame))
        start.kernel()
        solver = self._solver(self._cell(frame))
        solver.kernel(dm0=start.make_rdm1())
        if not solver.converged:
            raise LabelError(
                f"The isolated {symbol} atom did not converge in {self.max_cycles} SCF steps; "
                "expected a closed-shell atom. Check basis and pseudopotential."
            )
        atom = IsolatedAtom(float(solver.e_tot), np.asarray(solver.make_rdm1()))
        if self.orbital_folder is not None:
            _keep(path, atom)
        return atom

    def _cell(self, frame: Frame) -> Any:
        gto = periodic_pyscf()
        closed_shell_ions(frame, self.pseudopotential)
        symbols = [chemical_symbols[z] for z in frame.atomic_numbers]
        cell = gto.Cell()
        cell.a = frame.cell
        cell.unit = "B"
        cell.atom = [[s, r] for s, r in zip(symbols, frame.positions, strict=True)]
        cell.basis = {s: basis_set(self.basis, s) for s in set(symbols)}
        cell.pseudo = {s: pseudopotential(self.pseudopotential, s) for s in set(symbols)}
        cell.ke_cutoff = self.density_cutoff
        cell.precision = self.precision
        cell.verbose = 0
        cell.spin = None
        cell.build(dump_input=False, parse_arg=False)
        return cell

    def _solver(self, cell: Any) -> Any:
        from pyscf.pbc import dft

        semilocal_parts(self.functional)  # refuses what has no energy density here
        solver = dft.RKS(cell)
        solver.xc = self.functional
        solver._numint = self._integrator(cell)
        solver.conv_tol = self.energy_tolerance
        solver.conv_tol_grad = self.gradient_tolerance
        # The energy of the last step belongs to the last density matrix: no further build.
        solver.conv_check = False
        solver.max_cycle = self.max_cycles
        solver.chkfile = None
        return solver

    def _integrator(self, cell: Any) -> Any:
        from zeroflux.labelling.multigrid import RecordingIntegrator

        integrator = RecordingIntegrator(cell)
        integrator.rel_cutoff = self.relative_cutoff
        integrator.ntasks = self.n_grid_levels
        integrator.ke_ratio = self.grid_level_ratio
        return integrator

    def _solve(self, frame: Frame, solver: Any) -> Solution:
        """Converge on a coarse grid; go on with the fine one only if its gradient asks for it."""
        from scipy.linalg import block_diag

        wall, cpu = time.perf_counter(), time.process_time()
        symbols = [solver.cell.atom_symbol(i) for i in range(solver.cell.natm)]
        atoms = self.prepared(symbols).isolated_atoms
        coarse_engine = replace(
            self,
            density_cutoff=COARSE_CUTOFF_RATIO * self.density_cutoff,
            precision=max(COARSE_PRECISION, self.precision),
        )
        coarse = coarse_engine._solver(coarse_engine._cell(frame))
        coarse.kernel(dm0=block_diag(*(atoms[symbol].density_matrix for symbol in symbols)))
        solver.mo_coeff, solver.mo_occ = coarse.mo_coeff, coarse.mo_occ
        density_matrix = coarse.make_rdm1()
        core = solver.get_hcore()
        mean_field = solver.get_veff(solver.cell, density_matrix)
        gradient = solver.get_grad(solver.mo_coeff, solver.mo_occ, core + mean_field)
        solver.cycles = 0
        solver.e_tot = solver.energy_tot(density_matrix, core, mean_field)
        solver.converged = bool(np.linalg.norm(gradient) <= self.gradient_tolerance)
        if not solver.converged:
            solver.kernel(dm0=density_matrix)
        solution = Solution(
            orbitals=np.asarray(solver.mo_coeff)[:, np.asarray(solver.mo_occ) > 0],
            total_energy=float(solver.e_tot),
            is_converged=bool(solver.converged),
            n_cycles=int(coarse.cycles + solver.cycles),
            wall_s=time.perf_counter() - wall,
            cpu_s=time.process_time() - cpu,
        )
        if self.orbital_folder is not None and solution.is_converged:
            _keep(self._orbital_file(frame), solution)
        return solution

    def _orbital_file(self, frame: Frame) -> Path:
        return (
            Path(self.orbital_folder or ".") / f"{content_key(frame, self._orbital_settings)}.npz"
        )

    def _kept(self, frame: Frame) -> Solution | None:
        """Solution of an earlier calculation of the same configuration and settings."""
        if self.orbital_folder is None or not self._orbital_file(frame).exists():
            return None
        with np.load(self._orbital_file(frame)) as kept:
            return Solution(
                *(
                    kept[name] if name == "orbitals" else kept[name].item()
                    for name in Solution._fields
                )
            )

    def _densities(
        self, frame: Frame, solver: Any, solution: Solution, *, since: tuple[float, float]
    ) -> EnergyDensities:
        """All terms of the energy, given a solver whose last build was of this solution."""
        import pyscf

        cell, built = solver.cell, solver._numint
        mesh = (int(cell.mesh[0]), int(cell.mesh[1]), int(cell.mesh[2]))
        grid = UniformGrid(cell=frame.cell, shape=mesh)
        density_matrix = 2.0 * solution.orbitals @ solution.orbitals.T
        density, mean_field = built.density.reshape(mesh), built.mean_field
        ions = closed_shell_ions(frame, self.pseudopotential)
        widths = ions.widths
        smeared = gaussian_charges(frame, grid, charges=ions.charges, widths=widths)
        charge_density = smeared - density
        potential = coulomb_potential(charge_density, grid)
        short_range = short_range_potential(
            frame, grid, widths=widths, coefficients=ions.coefficients
        )
        partitions: dict[str, Any] = {}
        if self.with_partitions:
            xc = built.xc_energy_density.reshape(mesh)
            per_electron = np.divide(xc, density, out=np.zeros(mesh), where=density > _NO_DENSITY)
            atoms = self.prepared(cell.atom_symbol(i) for i in range(cell.natm)).isolated_atoms
            free = {s: atom.density_matrix for s, atom in atoms.items()}
            partitions["free_atoms"] = free_atoms(cell, free, ions)
            partitions["orbital_energies"] = (
                electron_energies(
                    cell,
                    built,
                    occupied=solution.orbitals,
                    free_density_matrices=free,
                    local=per_electron + short_range - 0.5 * potential,
                    grid=grid,
                )
                + ion_energies(potential, frame, grid, charges=ions.charges, widths=widths)
                - gaussian_self_energy(ions.charges, widths)
            )
        densities = EnergyDensities(
            frame=frame,
            grid=grid,
            density=density,
            reference=density + smeared,
            laplacian=fourier_laplacian(density, grid),
            ion_charges=ions.charges,
            fields={
                "kinetic": orbital_kinetic_energy_density(cell, solution.orbitals, mesh=mesh)
                if is_rectangular(frame.cell)
                else kinetic_energy_density(
                    cell, density_matrix, mesh=mesh, integrator=self._integrator
                ),
                "xc": built.xc_energy_density.reshape(mesh),
                "electrostatic": 0.5 * charge_density * potential,
                "pseudo_local": density * short_range,
            },
            atomic={
                "kinetic": sharp_primitive_corrections(cell, density_matrix, mesh=mesh),
                "electrostatic": -gaussian_self_energy(ions.charges, widths),
                "pseudo_nonlocal": nonlocal_energies(cell, density_matrix),
            },
            total_energy=solution.total_energy,
            is_converged=solution.is_converged,
            forces=kohn_sham_forces(solver, solution.orbitals, mean_field)
            if self.with_forces
            else None,
            **partitions,
            info={
                "engine": self.name,
                "engine_version": pyscf.__version__,
                "functional": self.functional,
                "basis": self.basis,
                "pseudopotential": self.pseudopotential,
                "density_cutoff_hartree": self.density_cutoff,
                "scf_cycles": solution.n_cycles,
                "grid_spacing_angstrom": round(float(grid.spacing.max() / ANGSTROM), 5),
            },
        )
        wall, cpu = _clocks()
        densities.info.update(
            scf_wall_s=round(solution.wall_s, 2),
            scf_cpu_s=round(solution.cpu_s, 2),
            densities_wall_s=round(wall - since[0], 2),
            densities_cpu_s=round(cpu - since[1], 2),
        )
        return densities


def _keep(path: Path, result: Solution | IsolatedAtom) -> None:
    """Write a result; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    np.savez(part, **result._asdict())
    part.replace(path)


def _clocks() -> tuple[float, float]:
    """Wall and CPU time (s)."""
    return time.perf_counter(), time.process_time()
