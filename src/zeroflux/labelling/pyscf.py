"""Kohn-Sham energy densities from PySCF: Γ point, Gaussian basis, GTH pseudopotentials."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase.data import atomic_numbers, chemical_symbols
from jaxtyping import Float

from zeroflux.errors import LabelError, missing_extra
from zeroflux.frames import Frame
from zeroflux.grids import UniformGrid
from zeroflux.labelling.electrostatics import (
    coulomb_potential,
    gaussian_charges,
    gaussian_self_energy,
)
from zeroflux.labelling.energy_density import EnergyDensities
from zeroflux.labelling.keys import content_key
from zeroflux.labelling.kinetic import kinetic_energy_density, sharp_primitive_corrections
from zeroflux.labelling.pseudopotential import nonlocal_energies, short_range_potential
from zeroflux.partition import fourier_laplacian
from zeroflux.units import ANGSTROM

ISOLATED_BOX = 10.0 * ANGSTROM
"""Edge of the cubic box of an isolated atom (bohr)."""
COARSE_CUTOFF_RATIO = 0.4
"""Cutoff of the grid on which the orbitals are converged first, over that of the density."""
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


_NO_SETTINGS = ("isolated_atoms", "orbital_folder")  # fields that labels do not depend on


@dataclass(frozen=True)
class PyscfEngine:
    """PySCF as an engine of labels.

    Deterministic: the same configuration and settings give the same numbers to rounding.
    """

    functional: str = "PBE"
    """Semilocal functional, a libxc name."""
    basis: str = "DZVP-MOLOPT-PBE-GTH-q8"
    """Basis set of PySCF's BASIS_MOLOPT_UZH file."""
    pseudopotential: str = "GTH-PBE-q8"
    """Pseudopotential of PySCF's POTENTIAL_UZH file."""
    density_cutoff: float = 220.0
    """Plane-wave cutoff of the density's grid (hartree)."""
    precision: float = 1e-8
    """Truncation of Gaussians and lattice sums (PySCF's ``cell.precision``)."""
    relative_cutoff: float = 4.0
    """PySCF's ``rel_cutoff`` r: a product of Gaussians with exponents summing to p goes to the
    first multigrid level whose cutoff is 2 p ln(2.8/precision) r^(−1/4) hartree or more. Smaller
    is finer. PySCF's default of 20 leaves ripples where the density is small."""
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
    isolated_atoms: Mapping[str, IsolatedAtom] = field(default_factory=dict)
    """Atoms already computed at these settings; see `prepared`."""
    orbital_folder: Path | None = None
    """Where converged orbitals are kept, so that a change of what is made of them needs no new
    calculation; nowhere by default."""
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
        solver = self._solver(self._cell(frame))
        solution = self._kept(frame)
        if solution is None:
            solution = self._solve(frame, solver)
            wall, cpu = time.perf_counter(), time.process_time()
        else:
            wall, cpu = time.perf_counter(), time.process_time()
            solver.get_veff(solver.cell, 2.0 * solution.orbitals @ solution.orbitals.T)
        densities = self._densities(frame, solver, solution)
        densities.info.update(
            scf_wall_s=round(solution.wall_s, 2),
            scf_cpu_s=round(solution.cpu_s, 2),
            densities_wall_s=round(time.perf_counter() - wall, 2),
            densities_cpu_s=round(time.process_time() - cpu, 2),
        )
        return densities

    def isolated_atom_energy(self, symbol: str) -> float:
        """Energy of one atom in a large box at the same settings (hartree)."""
        return self.prepared([symbol]).isolated_atoms[symbol].energy

    def _isolated_atom(self, symbol: str) -> IsolatedAtom:
        frame = Frame(
            atomic_numbers=np.array([atomic_numbers[symbol]]),
            positions=np.full((1, 3), 0.5 * ISOLATED_BOX),
            cell=np.eye(3) * ISOLATED_BOX,
        )
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
        return IsolatedAtom(float(solver.e_tot), np.asarray(solver.make_rdm1()))

    def _cell(self, frame: Frame) -> Any:
        try:
            from pyscf.pbc import gto
        except ImportError as error:
            raise missing_extra("pyscf", "dft") from error
        if np.linalg.det(frame.cell) < 0:
            raise LabelError(
                "The cell is left-handed; PySCF expects right-handed lattice vectors. Exchange two."
            )
        symbols = [chemical_symbols[z] for z in frame.atomic_numbers]
        cell = gto.Cell()
        cell.a = frame.cell
        cell.unit = "B"
        cell.atom = [[s, r] for s, r in zip(symbols, frame.positions, strict=True)]
        cell.basis = {s: self._basis_of(s) for s in set(symbols)}
        cell.pseudo = {s: self._pseudopotential_of(s) for s in set(symbols)}
        cell.ke_cutoff = self.density_cutoff
        cell.precision = self.precision
        cell.verbose = 0
        cell.spin = None
        cell.build(dump_input=False, parse_arg=False)
        if cell.nelectron % 2:
            raise LabelError(
                f"The cell has {cell.nelectron} valence electrons; expected an even number "
                "(closed shells). Change the composition."
            )
        return cell

    def _basis_of(self, symbol: str) -> Any:
        from pyscf.lib.exceptions import BasisNotFoundError
        from pyscf.pbc.gto.basis import load

        try:
            return load(self.basis, symbol)
        except (BasisNotFoundError, KeyError, RuntimeError) as error:
            raise LabelError(
                f"Found element {symbol}, for which PySCF has no basis set '{self.basis}'; "
                "expected an element of that set, such as Ar or Kr. Change the structure or "
                "`label.basis`."
            ) from error

    def _pseudopotential_of(self, symbol: str) -> Any:
        from pyscf.gto.basis import parse_cp2k_pp

        # Not by name: PySCF looks a name up in its older file GTH_POTENTIALS first.
        lines = _block_of(_pseudopotential_file(), symbol, self.pseudopotential)
        if lines is None:
            raise LabelError(
                f"Found element {symbol}, for which POTENTIAL_UZH has no pseudopotential "
                f"'{self.pseudopotential}'; expected an element of that set, such as Ar or Kr. "
                "Change the structure or `label.pseudopotential`."
            )
        return parse_cp2k_pp._parse(lines)

    def _solver(self, cell: Any) -> Any:
        from pyscf.pbc import dft

        solver = dft.RKS(cell)
        solver.xc = self.functional
        solver._numint = self._integrator(cell)
        xc_type = solver._numint._xc_type(self.functional)
        if xc_type not in ("LDA", "GGA"):
            raise LabelError(
                f"Functional '{self.functional}' is of type {xc_type}; expected an LDA or GGA. "
                "Choose another `label.functional`."
            )
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
            self.orbital_folder.mkdir(parents=True, exist_ok=True)
            path = self._orbital_file(frame)
            part = path.with_name(f".{path.stem}.{os.getpid()}.npz")
            np.savez(part, **solution._asdict())
            part.replace(path)
        return solution

    def _orbital_file(self, frame: Frame) -> Path:
        return Path(self.orbital_folder or ".") / f"{content_key(frame, self.settings)}.npz"

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

    def _densities(self, frame: Frame, solver: Any, solution: Solution) -> EnergyDensities:
        """All terms of the energy, given a solver whose last build was of this solution."""
        import pyscf

        cell, built = solver.cell, solver._numint
        mesh = (int(cell.mesh[0]), int(cell.mesh[1]), int(cell.mesh[2]))
        grid = UniformGrid(cell=frame.cell, shape=mesh)
        density_matrix = 2.0 * solution.orbitals @ solution.orbitals.T
        density = built.density.reshape(mesh)
        parameters = [cell._pseudo[cell.atom_symbol(i)] for i in range(cell.natm)]
        charges = np.array([float(sum(p[0])) for p in parameters])
        widths = np.array([p[1] for p in parameters])
        coefficients = np.array([[*p[3], *[0.0] * (4 - len(p[3]))] for p in parameters])
        ions = gaussian_charges(frame, grid, charges=charges, widths=widths)
        charge_density = ions - density
        potential = coulomb_potential(charge_density, grid)
        short_range = short_range_potential(frame, grid, widths=widths, coefficients=coefficients)
        return EnergyDensities(
            frame=frame,
            grid=grid,
            density=density,
            reference=density + ions,
            laplacian=fourier_laplacian(density, grid),
            ion_charges=charges,
            fields={
                "kinetic": kinetic_energy_density(
                    cell, density_matrix, mesh=mesh, integrator=self._integrator
                ),
                "xc": built.xc_energy_density.reshape(mesh),
                "electrostatic": 0.5 * charge_density * potential,
                "pseudo_local": density * short_range,
            },
            atomic={
                "kinetic": sharp_primitive_corrections(cell, density_matrix, mesh=mesh),
                "electrostatic": -gaussian_self_energy(charges, widths),
                "pseudo_nonlocal": nonlocal_energies(cell, density_matrix),
            },
            total_energy=solution.total_energy,
            is_converged=solution.is_converged,
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


def _pseudopotential_file() -> Path:
    import pyscf.pbc.gto.pseudo

    return Path(pyscf.pbc.gto.pseudo.__file__).parent / "POTENTIAL_UZH"


def _block_of(path: Path, symbol: str, name: str) -> list[str] | None:
    """Lines of one pseudopotential in a file in CP2K's format."""
    lines: list[str] = []
    for line in path.read_text().splitlines():
        words = line.split()
        if lines:
            if not words or words[0].startswith("#") or words[0].isalpha():
                break
            lines.append(line.strip())
        elif len(words) > 1 and words[0] == symbol and name in words[1:]:
            lines.append(line.strip())
    return lines or None
