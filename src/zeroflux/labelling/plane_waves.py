"""Kohn-Sham energy densities in plane waves (eminus): the arbiter of every Gaussian basis.

Plane waves have no basis-set superposition and one parameter, their cutoff, so they decide whether
a Gaussian basis is good enough. Pseudopotentials, energy terms and basins are those of all engines.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from jaxtyping import Float

from zeroflux.errors import LabelError, missing_extra
from zeroflux.frames import Frame, isolated_atom
from zeroflux.grids import UniformGrid
from zeroflux.labelling.electrostatics import (
    coulomb_potential,
    gaussian_charges,
    gaussian_self_energy,
)
from zeroflux.labelling.energy_density import EnergyDensities
from zeroflux.labelling.gth_data import closed_shell_ions, pseudopotential
from zeroflux.labelling.pseudopotential import short_range_potential
from zeroflux.partition import fourier_laplacian
from zeroflux.units import ANGSTROM

ISOLATED_BOX = 9.0 * ANGSTROM
"""Edge of the cubic box of an isolated atom (bohr)."""
_ORBITALS_AT_ONCE = 8


@dataclass(frozen=True)
class PlaneWaveEngine:
    """eminus as an engine of labels: exact up to its cutoff, and slow.

    A box of 17 atoms takes the better part of an hour on two cores; with PyTorch installed eminus
    runs on a GPU (``EMINUS_USE_GPU=1``) in a minute.

    References
    ----------
    Schulze, Beyer, Haase, Cuniberti, Springborg, SoftwareX 29, 102035 (2025),
    doi 10.1016/j.softx.2025.102035 (eminus); Goedecker, Teter, Hutter, Phys. Rev. B 54, 1703
    (1996).
    """

    functional: str = "PBE"
    """PBE: the one GGA for which eminus needs no further library."""
    pseudopotential: str = "GTH-PBE-q8"
    """Pseudopotential of the file POTENTIAL_UZH."""
    density_cutoff: float = 240.0
    """Plane-wave cutoff of the density (hartree); that of the orbitals is a quarter of it."""
    energy_tolerance: float = 1e-9
    """Change of the energy at which the minimisation ends (hartree)."""
    max_cycles: int = 200
    """Steps before a configuration counts as not converged."""
    isolated_energies: Mapping[str, float] = field(default_factory=dict)
    """Energies of isolated atoms at these settings (hartree); see `prepared`."""
    name: str = field(default="eminus", init=False)

    @property
    def settings(self) -> dict[str, str | int | float]:
        """Everything that the labels depend on."""
        names = ("name", "functional", "pseudopotential", "density_cutoff", "energy_tolerance")
        return {name: getattr(self, name) for name in names} | {"max_cycles": self.max_cycles}

    def prepared(self, symbols: Iterable[str]) -> PlaneWaveEngine:
        """Engine that knows the energies of the isolated atoms of these elements."""
        energies = dict(self.isolated_energies)
        for symbol in sorted(set(symbols) - set(energies)):
            atom = self.energy_densities(isolated_atom(symbol, box_length=ISOLATED_BOX))
            if not atom.is_converged:
                raise LabelError(
                    f"The isolated {symbol} atom did not converge in {self.max_cycles} steps; "
                    "expected a closed-shell atom. Check the pseudopotential."
                )
            energies[symbol] = atom.total_energy
        return replace(self, isolated_energies=energies)

    def isolated_atom_energy(self, symbol: str) -> float:
        """Energy of one atom in a large box at the same settings (hartree)."""
        return self.prepared([symbol]).isolated_energies[symbol]

    def energy_densities(self, frame: Frame) -> EnergyDensities:
        """Minimise the energy and evaluate every term of it.

        Raises
        ------
        LabelError
            If an element has no pseudopotential of this name, the number of electrons is odd, or
            the functional is not PBE.
        """
        if self.functional.upper() != "PBE":
            raise LabelError(
                f"Found functional '{self.functional}'; the plane-wave engine has PBE alone. "
                "Change `label.functional` or the engine."
            )
        ions = closed_shell_ions(frame, self.pseudopotential)
        started = time.perf_counter(), time.process_time()
        scf, converged = self._minimised(frame)
        solved = time.perf_counter(), time.process_time()
        density, kinetic, xc = _fields(scf)
        grid = UniformGrid(cell=frame.cell, shape=density.shape)
        smeared = gaussian_charges(frame, grid, charges=ions.charges, widths=ions.widths)
        charge = smeared - density
        short_range = short_range_potential(
            frame, grid, widths=ions.widths, coefficients=ions.coefficients
        )
        densities = EnergyDensities(
            frame=frame,
            grid=grid,
            density=density,
            reference=density + smeared,
            laplacian=fourier_laplacian(density, grid),
            ion_charges=ions.charges,
            fields={
                "kinetic": kinetic,
                "xc": xc,
                "electrostatic": 0.5 * charge * coulomb_potential(charge, grid),
                "pseudo_local": density * short_range,
            },
            atomic={
                "electrostatic": -gaussian_self_energy(ions.charges, ions.widths),
                "pseudo_nonlocal": _nonlocal_energies(scf),
            },
            total_energy=float(scf.energies.Etot),
            is_converged=converged,
            info={
                "engine": self.name,
                "engine_version": _version(),
                "functional": self.functional,
                "basis": f"plane waves, {self.density_cutoff / 4:g} hartree",
                "pseudopotential": self.pseudopotential,
                "density_cutoff_hartree": self.density_cutoff,
                "scf_cycles": sum(int(log["iter"]) for log in scf._opt_log.values()),
                "grid_spacing_angstrom": round(float(grid.spacing.max() / ANGSTROM), 5),
            },
        )
        densities.info.update(
            scf_wall_s=round(solved[0] - started[0], 2),
            scf_cpu_s=round(solved[1] - started[1], 2),
            densities_wall_s=round(time.perf_counter() - solved[0], 2),
            densities_cpu_s=round(time.process_time() - solved[1], 2),
        )
        return densities

    def _minimised(self, frame: Frame) -> tuple[Any, bool]:
        """eminus' self-consistent field of a configuration, and whether it converged."""
        try:
            import eminus
        except ImportError as error:
            raise missing_extra("eminus", "planewaves") from error
        symbols = [chemical_symbols[z] for z in frame.atomic_numbers]
        with tempfile.TemporaryDirectory() as folder:
            for symbol in set(symbols):
                parameters = pseudopotential(self.pseudopotential, symbol)
                path = Path(folder) / f"{symbol}-q{sum(parameters[0])}"
                path.write_text(_gth_text(symbol, parameters))
            charges = [sum(pseudopotential(self.pseudopotential, s)[0]) for s in symbols]
            atoms = eminus.Atoms(
                symbols,
                frame.positions.tolist(),
                ecut=self.density_cutoff / 4,
                a=frame.cell.tolist(),
                verbose="error",
            )
            atoms.Z = charges
            scf = eminus.SCF(
                atoms,
                xc="pbe",
                pot=folder,
                guess="random",
                etol=self.energy_tolerance,
                opt={"auto": self.max_cycles},
                verbose="error",
            )
            scf.run()
        return scf, bool(scf.is_converged)


def _fields(
    scf: Any,
) -> tuple[
    Float[np.ndarray, "n_a n_b n_c"],
    Float[np.ndarray, "n_a n_b n_c"],
    Float[np.ndarray, "n_a n_b n_c"],
]:
    """Density, kinetic energy density ½ Σ f |∇ψ|² and ρ ε_xc on eminus' grid."""
    from eminus import backend as xp
    from eminus.gga import get_grad_field
    from eminus.xc import get_xc

    atoms, orbitals = scf.atoms, scf.Y[0][0]
    occupations = atoms.occ.f[0, 0]
    wave_vectors = atoms.G[atoms.active[0]]
    density, kinetic = xp.zeros(atoms.Ns), xp.zeros(atoms.Ns)
    for start in range(0, orbitals.shape[-1], _ORBITALS_AT_ONCE):
        some = orbitals[:, start : start + _ORBITALS_AT_ONCE]
        weights = occupations[start : start + _ORBITALS_AT_ONCE]
        density += _weighted_squares(atoms, some, weights)
        for axis in range(3):
            slope = 1j * wave_vectors[:, axis, None] * some
            kinetic += 0.5 * _weighted_squares(atoms, slope, weights)
    spin_density = density[None]
    gradient = get_grad_field(atoms, spin_density)
    xc = get_xc(scf.xc, spin_density, 1, gradient)[0] * density
    shape = tuple(int(n) for n in _numpy(atoms.s))
    density, kinetic, xc = (_numpy(f).reshape(shape) for f in (density, kinetic, xc))
    return density, kinetic, xc


def _weighted_squares(atoms: Any, coefficients: Any, weights: Any) -> Any:
    from eminus import backend as xp

    values = atoms.I(coefficients, 0)
    return (xp.real(values.conj() * values) * weights).sum(-1)


def _nonlocal_energies(scf: Any) -> Float[np.ndarray, " n_atoms"]:
    """Σ_n f_n Σ_{l,ij} h_ij ⟨ψ_n|p_i⟩⟨p_j|ψ_n⟩ of each atom (hartree)."""
    atoms = scf.atoms
    occupations = _numpy(atoms.occ.f[0, 0])
    projections = _numpy((scf.Y[0][0].conj().T @ scf.gth.betaNL[0]).conj())
    columns_of = _numpy(scf.gth.prj2beta)
    energies = np.zeros(atoms.Natoms)
    for a, symbol in enumerate(atoms.atom):
        parameters = scf.gth[symbol]
        for l in range(parameters["lmax"]):  # noqa: E741 (the field's letter)
            n_projectors = int(parameters["Nproj_l"][l])
            h = _numpy(parameters["h"])[l][:n_projectors, :n_projectors]
            for m in range(-l, l + 1):
                index = columns_of[:n_projectors, a, l, m + parameters["lmax"] - 1] - 1
                b = projections[:, index]
                energies[a] += np.einsum("n,ni,ij,nj->", occupations, b.conj(), h, b).real
    return energies * float(atoms.Omega)


def _gth_text(symbol: str, parameters: list[Any]) -> str:
    """A pseudopotential in CP2K's format, from PySCF's list."""
    electrons, width, n_local, local, n_channels, *channels = parameters
    lines = [symbol, " ".join(str(n) for n in electrons)]
    lines.append(" ".join([repr(width), str(n_local), *(repr(c) for c in local)]))
    lines.append(str(n_channels))
    for radius, n_projectors, matrix in channels:
        for row in range(n_projectors):
            head = f"{radius!r} {n_projectors} " if row == 0 else ""
            lines.append(head + " ".join(repr(h) for h in np.asarray(matrix)[row][row:].tolist()))
        if n_projectors == 0:
            lines.append(f"{radius!r} 0")
    return "\n".join(lines) + "\n"


def _numpy(array: Any) -> np.ndarray:
    """Array of any of eminus' backends on the host."""
    return (
        array.detach().cpu().resolve_conj().numpy()
        if hasattr(array, "detach")
        else np.asarray(array)
    )


def _version() -> str:
    from importlib.metadata import version

    return version("eminus")
