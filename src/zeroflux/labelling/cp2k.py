"""Kohn-Sham energies and orbitals from CP2K, run as a program; energy densities as for PySCF."""

from __future__ import annotations

import resource
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols

from zeroflux.errors import FileFormatError, LabelError
from zeroflux.frames import Frame, isolated_atom
from zeroflux.grids import UniformGrid
from zeroflux.labelling.cp2k_input import (
    BASIS_FILE,
    POTENTIAL_FILE,
    PROJECT,
    Cp2kNumerics,
    basis_text,
    input_text,
    potential_text,
)
from zeroflux.labelling.cp2k_output import (
    Cp2kEnergies,
    read_energies,
    read_restart_orbitals,
    restart_rows,
    shells_of,
)
from zeroflux.labelling.energy_density import EnergyDensities
from zeroflux.labelling.gth_data import (
    DEFAULT_BASIS,
    basis_set,
    closed_shell_ions,
    pseudopotential,
    semilocal_parts,
)
from zeroflux.labelling.keys import content_key
from zeroflux.labelling.pyscf import ISOLATED_BOX, IsolatedAtom, PyscfEngine, Solution

_INPUT, _OUTPUT = f"{PROJECT}.inp", f"{PROJECT}.out"
_TAIL_LINES = 25


@dataclass(frozen=True)
class Cp2kEngine:
    """CP2K as an engine of labels: its energies and orbitals, the common energy densities.

    CP2K solves the Kohn-Sham equations. Its orbitals are read back from the restart file, and the
    energy densities are evaluated from them by the code that serves PySCF: CP2K writes no kinetic
    energy density, and its LOCAL_ENERGY_CUBE is another partition (docs/decisions/local-energy.md).
    Basis and pseudopotential come from the same files as PySCF's and are written into the input.
    """

    functional: str = "PBE"
    """Semilocal functional, a libxc name."""
    basis: str = DEFAULT_BASIS
    """Basis set of PySCF's BASIS_MOLOPT_UZH file (CP2K's file of that name may have another)."""
    pseudopotential: str = "GTH-PBE-q8"
    """Pseudopotential of PySCF's POTENTIAL_UZH file."""
    density_cutoff: float = 220.0
    """Plane-wave cutoff of the density's grid (hartree): half of CP2K's CUTOFF in Ry."""
    relative_cutoff: float = 20.0
    """CP2K's REL_CUTOFF (hartree). In 17 argon atoms 20 and 40 differ by 0.001 meV per atom, 15
    by 0.01."""
    n_grid_levels: int = 4
    """Number of multigrid levels."""
    precision: float = 1e-10
    """CP2K's EPS_DEFAULT. In 17 atoms 1e-10 and 1e-12 differ by 0.001 to 0.002 meV per atom."""
    convergence: float = 1e-5
    """CP2K's EPS_SCF, the largest element of the orbital gradient. In 17 atoms 1e-5 and 1e-7
    differ by 0.01 meV per atom in the energy, nearly the same for all atoms."""
    max_cycles: int = 40
    """SCF steps before a configuration counts as not converged."""
    with_forces: bool = False
    """Whether forces are evaluated too, from the orbitals."""
    with_partitions: bool = False
    """Whether what the partitions beside the basins need is evaluated too."""
    command: str = "cp2k"
    """Command that starts CP2K, such as ``mpirun -np 2 cp2k.psmp``."""
    timeout_s: float = 7200.0
    """Time after which one calculation counts as hung (s)."""
    scratch_folder: Path | None = None
    """Where the files of each calculation are left; in a folder that is deleted by default."""
    isolated_energies: Mapping[str, float] = field(default_factory=dict)
    """Energies of isolated atoms at these settings (hartree); see `prepared`."""
    free_atoms: Mapping[str, IsolatedAtom] = field(default_factory=dict)
    """Free atoms by PySCF in the same basis, for the partitions; see `prepared`."""
    name: str = field(default="cp2k", init=False)

    @property
    def settings(self) -> dict[str, str | int | float]:
        """Everything that the labels depend on."""
        evaluation = self._evaluator()
        extras: dict[str, str | int | float] = {
            name: True for name in ("with_forces", "with_partitions") if getattr(self, name)
        }
        return extras | {
            "name": self.name,
            "functional": self.functional,
            "basis": self.basis,
            "pseudopotential": self.pseudopotential,
            "density_cutoff": self.density_cutoff,
            "relative_cutoff": self.relative_cutoff,
            "n_grid_levels": self.n_grid_levels,
            "precision": self.precision,
            "convergence": self.convergence,
            "max_cycles": self.max_cycles,
            "density_precision": evaluation.precision,
            "density_relative_cutoff": evaluation.relative_cutoff,
        }

    def prepared(self, symbols: Iterable[str]) -> Cp2kEngine:
        """Engine that knows the energies of the isolated atoms of these elements.

        Raises
        ------
        LabelError
            If CP2K is not there, or an element has no basis or pseudopotential, or its atom does
            not converge.
        """
        self._program()
        energies = dict(self.isolated_energies)
        for symbol in sorted(set(symbols) - set(energies)):
            energies[symbol] = self._isolated_atom_energy(symbol)
        free_atoms = self.free_atoms
        if self.with_partitions:
            free_atoms = self._evaluator().prepared(energies).isolated_atoms
        return replace(self, isolated_energies=energies, free_atoms=free_atoms)

    def energy_densities(self, frame: Frame) -> EnergyDensities:
        """Solve the Kohn-Sham equations and evaluate every term of the energy.

        Raises
        ------
        LabelError
            If an element has no basis or pseudopotential of these names, the number of electrons
            is odd, or CP2K is not there or fails.
        """
        with self.calculation(frame) as calculation:
            if not calculation.energies.is_converged:
                return self._not_converged(frame, calculation)
            solution = self.solution(frame, calculation)
        densities = self._evaluator().densities_of_orbitals(frame, solution)
        densities.info.update(self._info(calculation))
        return densities

    def solution(self, frame: Frame, calculation: Cp2kCalculation) -> Solution:
        """Orbitals of a finished calculation, in PySCF's order of functions, and its energy.

        Raises
        ------
        FileFormatError
            If the restart file is damaged or not of this configuration and basis.
        """
        restart = read_restart_orbitals(calculation.folder / f"{PROJECT}-RESTART.wfn")
        expected = [
            shells_of(basis_set(self.basis, chemical_symbols[z])) for z in frame.atomic_numbers
        ]
        if list(restart.functions_of_shells) != expected:
            raise FileFormatError(
                f"CP2K's restart file has shells of {restart.functions_of_shells} functions; "
                f"expected {expected}, as in the basis that was written. Report this with the "
                "version of CP2K."
            )
        return Solution(
            orbitals=restart.coefficients[restart_rows(restart.functions_of_shells)],
            total_energy=calculation.energies.total,
            is_converged=calculation.energies.is_converged,
            n_cycles=calculation.energies.n_cycles,
            wall_s=calculation.wall_s,
            cpu_s=calculation.cpu_s,
        )

    def isolated_atom_energy(self, symbol: str) -> float:
        """Energy of one atom in a large box at the same settings (hartree)."""
        return self.prepared([symbol]).isolated_energies[symbol]

    @contextmanager
    def calculation(self, frame: Frame, cubes: Sequence[str] = ()) -> Iterator[Cp2kCalculation]:
        """Run CP2K on one configuration; its files are there inside the ``with`` block.

        Parameters
        ----------
        frame
            Configuration.
        cubes
            Print keys of cube files wanted, such as ``E_DENSITY_CUBE``.

        Raises
        ------
        LabelError
            If CP2K is not there, fails or runs longer than `timeout_s`.
        """
        program = self._program()
        closed_shell_ions(frame, self.pseudopotential)
        symbols = sorted({chemical_symbols[z] for z in frame.atomic_numbers})
        numerics = Cp2kNumerics(
            density_cutoff=self.density_cutoff,
            relative_cutoff=self.relative_cutoff,
            n_grid_levels=self.n_grid_levels,
            precision=self.precision,
            convergence=self.convergence,
            max_cycles=self.max_cycles,
        )
        texts = {
            BASIS_FILE: basis_text({s: basis_set(self.basis, s) for s in symbols}),
            POTENTIAL_FILE: potential_text(
                {s: pseudopotential(self.pseudopotential, s) for s in symbols}
            ),
            _INPUT: input_text(
                frame, functional=semilocal_parts(self.functional), numerics=numerics, cubes=cubes
            ),
        }
        with self._folder(frame) as folder:
            for name, text in texts.items():
                (folder / name).write_text(text)
            yield self._run(program, folder)

    def _run(self, program: list[str], folder: Path) -> Cp2kCalculation:
        used, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        try:
            done = subprocess.run(
                [*program, "-i", _INPUT, "-o", _OUTPUT],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=self.timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise LabelError(
                f"'{self.command}' was still running after {self.timeout_s:g} s; expected a label "
                "to take less. Look at the structure, or give CP2K more cores (label.cp2k_command)."
                + _tail(folder)
            ) from error
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        output = folder / _OUTPUT
        energies = read_energies(output.read_text()) if output.exists() else None
        # Newer versions stop with an error where the SCF does not converge; that is no failure.
        failed = energies is None or (energies.is_converged and done.returncode != 0)
        if energies is None or failed:
            raise LabelError(
                f"'{self.command}' ended with status {done.returncode}; expected a finished "
                "calculation. Its last words are below; label.cp2k_command sets the program."
                + _tail(folder, done.stdout + done.stderr)
            )
        return Cp2kCalculation(
            folder=folder,
            energies=energies,
            wall_s=time.perf_counter() - start,
            cpu_s=now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime,
        )

    def _program(self) -> list[str]:
        words = shlex.split(self.command)
        if not words or shutil.which(words[0]) is None:
            raise LabelError(
                f"Found no program '{words[0] if words else ''}' on PATH; expected CP2K. Install "
                "it (Debian and Ubuntu: apt-get install cp2k) or set label.cp2k_command."
            )
        return words

    @contextmanager
    def _folder(self, frame: Frame) -> Iterator[Path]:
        if self.scratch_folder is not None:
            folder = Path(self.scratch_folder) / content_key(frame, self.settings)
            folder.mkdir(parents=True, exist_ok=True)
            yield folder.resolve()
        else:
            with tempfile.TemporaryDirectory(prefix="zeroflux-cp2k-") as folder:
                yield Path(folder)

    def _evaluator(self) -> PyscfEngine:
        """What turns orbitals into energy densities."""
        return PyscfEngine(
            functional=self.functional,
            basis=self.basis,
            pseudopotential=self.pseudopotential,
            density_cutoff=self.density_cutoff,
            with_forces=self.with_forces,
            with_partitions=self.with_partitions,
            isolated_atoms=self.free_atoms,
        )

    def _isolated_atom_energy(self, symbol: str) -> float:
        frame = isolated_atom(symbol, box_length=ISOLATED_BOX)
        with self.calculation(frame) as calculation:
            if not calculation.energies.is_converged:
                raise LabelError(
                    f"The isolated {symbol} atom did not converge in {self.max_cycles} SCF steps; "
                    "expected a closed-shell atom. Check basis and pseudopotential."
                )
            return calculation.energies.total

    def _not_converged(self, frame: Frame, calculation: Cp2kCalculation) -> EnergyDensities:
        """Record of a configuration whose SCF failed: without orbitals, so without densities."""
        nothing = np.full((1, 1, 1), np.nan)
        return EnergyDensities(
            frame=frame,
            grid=UniformGrid(cell=frame.cell, shape=(1, 1, 1)),
            density=nothing,
            reference=nothing,
            laplacian=nothing,
            ion_charges=np.full(frame.n_atoms, np.nan),
            fields={},
            atomic={},
            total_energy=calculation.energies.total,
            is_converged=False,
            info=self._info(calculation),
        )

    def _info(self, calculation: Cp2kCalculation) -> dict[str, str | int | float | bool]:
        return {
            "engine": self.name,
            "engine_version": calculation.energies.version,
            "functional": self.functional,
            "basis": self.basis,
            "pseudopotential": self.pseudopotential,
            "density_cutoff_hartree": self.density_cutoff,
            "scf_cycles": calculation.energies.n_cycles,
            "scf_wall_s": round(calculation.wall_s, 2),
            "scf_cpu_s": round(calculation.cpu_s, 2),
        }


@dataclass(frozen=True)
class Cp2kCalculation:
    """A calculation that CP2K has finished."""

    folder: Path
    """Where its files are."""
    energies: Cp2kEnergies
    wall_s: float
    cpu_s: float


def _tail(folder: Path, words: str = "") -> str:
    output = folder / _OUTPUT
    text = (output.read_text() if output.exists() else "") + words
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n" + "\n".join(lines[-_TAIL_LINES:])
