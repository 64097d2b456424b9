"""Classes of other packages, with their attributes, computed here and without their programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroflux.analysis.found import find_inputs
from zeroflux.api import basins
from zeroflux.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymatgen.core import Structure

_COLUMNS = {
    "x": "x",
    "y": "y",
    "z": "z",
    "charge": "population",
    "min_dist": "surface_distance",
    "atomic_vol": "volume",
}
"""Names of pymatgen's `BaderAnalysis.data` and of our columns."""


class BaderAnalysis:
    """Basins with the attributes of `pymatgen.command_line.bader_caller.BaderAnalysis`.

    No external program is needed. What pymatgen calls ``charge`` is the number of electrons.

    Attributes
    ----------
    data : list of dict
        ``x``, ``y``, ``z`` (Å), ``charge`` (e, electrons), ``min_dist`` (Å), ``atomic_vol`` (Å³)
        of each atom.
    vacuum_charge, vacuum_volume : float
        Electrons and volume (Å³) of no atom: 0, unless a density ``vacuum`` is given.
    nelectrons : float
        Electrons in all.
    nelects : list of float
        Electrons of each neutral atom in the file's convention; empty if unknown.
    reference_used : bool
        Whether another density than the file's defined the basins.
    basins : Basins
        The same as zeroflux has it, with net charges, moments and remarks.
    """

    version = 1.05
    """Of Henkelman's program, whose ACF.dat has this form."""

    def __init__(
        self,
        chgcar_filename: str | Path = "",
        potcar_filename: str | Path = "",
        chgref_filename: str | Path = "",
        cube_filename: str | Path = "",
        **options: Any,
    ) -> None:
        """Divide the density of a CHGCAR or a cube.

        Parameters
        ----------
        chgcar_filename, cube_filename
            One of the two.
        potcar_filename
            POTCAR from which net charges are counted; by default that beside the CHGCAR.
        chgref_filename
            Density that defines the basins. As of pymatgen's class, AECCARs beside the file are
            not taken unless `from_path` is used.
        **options
            Further options of `zeroflux.basins`.

        Raises
        ------
        ConfigError
            If not exactly one density is named.
        """
        if bool(chgcar_filename) == bool(cube_filename):
            raise ConfigError(
                f"Found chgcar_filename={str(chgcar_filename)!r} and "
                f"cube_filename={str(cube_filename)!r}; expected one of them. Name one density."
            )
        if potcar_filename:
            options = {"valence": _valences(Path(potcar_filename)), **options}
        reference = [str(chgref_filename)] if chgref_filename else []
        self._set(str(chgcar_filename or cube_filename), **{"reference": reference, **options})

    @classmethod
    def from_path(cls, path: str | Path, suffix: str = "", **options: Any) -> BaderAnalysis:
        """Divide the density of a folder: CHGCAR with AECCAR0, AECCAR2 and POTCAR beside it.

        Parameters
        ----------
        path
            The folder.
        suffix
            Of the names, such as ``.relax1`` of ``CHGCAR.relax1.gz``.
        **options
            Further options of `zeroflux.basins`.
        """
        new = cls.__new__(cls)
        if not suffix:
            new._set(str(path), **options)
            return new
        density, *parts = (
            _one(Path(path), name + suffix) for name in ("CHGCAR", "AECCAR0", "AECCAR2", "POTCAR")
        )
        if density is None:
            raise ConfigError(
                f"Found no file CHGCAR{suffix} in {path}; expected one. Correct the suffix."
            )
        *cores, potcar = parts
        if potcar is not None:
            options = {"valence": _valences(potcar), **options}
        reference = [str(core) for core in cores if core] if all(cores) else []
        new._set(str(density), **{"reference": reference, **options})
        return new

    def _set(self, source: str, **options: Any) -> None:
        if "reference" not in options:
            found = find_inputs(source)
            source, options["reference"] = found.density, found.reference
        self.basins = basins(source, **options)
        report = self.basins.report
        self.data: list[dict[str, float]] = [
            {theirs: float(report.columns[ours][i]) for theirs, ours in _COLUMNS.items()}
            for i in range(report.n_atoms)
        ]
        vacuum = report.vacuum or {}
        self.vacuum_charge = float(vacuum.get("population", 0.0))
        self.vacuum_volume = float(vacuum.get("volume", 0.0))
        self.nelectrons = float(self.basins.populations.sum()) + self.vacuum_charge
        valences = report.columns["valence"]
        self.nelects: list[float] = valences.tolist() if np.isfinite(valences).all() else []
        self.reference_used = bool(options["reference"])

    @property
    def structure(self) -> Structure:
        """The structure, an object of pymatgen."""
        from pymatgen.core import Structure

        report = self.basins.report
        positions = np.stack([report.columns[axis] for axis in "xyz"], axis=1)
        return Structure(
            report.cell_angstrom, report.elements, positions, coords_are_cartesian=True
        )

    def get_charge(self, atom_index: int) -> float:
        """Electrons of an atom (e)."""
        return self.data[atom_index]["charge"]

    def get_charge_transfer(self, atom_index: int, nelect: float | int | None = None) -> float:
        """Electrons that an atom has gained (e).

        Parameters
        ----------
        atom_index
            The atom.
        nelect
            Electrons of the neutral atom; by default its valence.

        Raises
        ------
        ConfigError
            If neither is known.
        """
        if nelect is None and not self.nelects:
            raise ConfigError(
                "Found no valence of the atoms; expected a POTCAR, or nelect. Give one of them."
            )
        neutral = self.nelects[atom_index] if nelect is None else nelect
        return self.get_charge(atom_index) - neutral

    def get_partial_charge(self, atom_index: int, nelect: float | int | None = None) -> float:
        """Net charge of an atom (e)."""
        return -self.get_charge_transfer(atom_index, nelect)

    def get_charge_decorated_structure(self) -> Structure:
        """The structure with minus the electrons as site property ``charge``, as pymatgen does."""
        structure = self.structure
        structure.add_site_property("charge", [-one["charge"] for one in self.data])
        return structure

    def get_oxidation_state_decorated_structure(
        self, nelects: Sequence[float | int] | None = None
    ) -> Structure:
        """The structure with net charges as oxidation states."""
        charges = [
            self.get_partial_charge(i, None if nelects is None else nelects[i])
            for i in range(len(self.data))
        ]
        structure = self.structure
        structure.add_oxidation_state_by_site(charges)
        return structure

    def get_decorated_structure(self, property_name: str, average: bool = False) -> Structure:
        """The structure with the integrals of the file's field as a site property.

        Parameters
        ----------
        property_name
            Name of the property; ``spin`` sets the spin of the species, too.
        average
            Divide the integrals by the volumes.
        """
        values = [one["charge"] / (one["atomic_vol"] if average else 1.0) for one in self.data]
        structure = self.structure
        structure.add_site_property(property_name, values)
        if property_name == "spin":
            structure.add_spin_by_site(values)
        return structure

    @property
    def summary(self) -> dict[str, Any]:
        """The lists of all atoms, vacuum, and ``charge_transfer`` if valences are known."""
        found = {
            "min_dist": [one["min_dist"] for one in self.data],
            "charge": [one["charge"] for one in self.data],
            "atomic_volume": [one["atomic_vol"] for one in self.data],
            "vacuum_charge": self.vacuum_charge,
            "vacuum_volume": self.vacuum_volume,
            "reference_used": self.reference_used,
            "bader_version": self.version,
        }
        if self.nelects:
            found["charge_transfer"] = [self.get_charge_transfer(i) for i in range(len(self.data))]
        if self.basins.moments is not None:
            found["magmom"] = self.basins.moments.tolist()
        return found


def _one(folder: Path, name: str) -> Path | None:
    """The file of a name, plain or compressed."""
    found = (folder / f"{name}{end}" for end in ("", ".gz", ".xz", ".bz2"))
    return next((path for path in found if path.is_file()), None)


def _valences(potcar: Path) -> dict[str, float]:
    """Valence of each element of a POTCAR."""
    from zeroflux.volumetric.potcar import read_potcar

    return {e.symbol: e.valence for e in read_potcar(potcar) if e.valence is not None}
