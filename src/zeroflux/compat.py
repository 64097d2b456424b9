"""Other programs' interfaces, for scripts that were written for them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from zeroflux.api import Basins, basins


class BaderAnalysis:
    """The attributes of pymatgen's ``BaderAnalysis``, computed by zeroflux without ``bader``.

    Parameters
    ----------
    chgcar_filename, potcar_filename, chgref_filename
        As pymatgen's. The POTCAR that is read is the one beside the CHGCAR; without
        ``chgref_filename``, AECCAR0 and AECCAR2 beside the CHGCAR are the reference.
    **options
        As of `zeroflux.basins`.

    References
    ----------
    pymatgen.command_line.bader_caller, https://pymatgen.org
    """

    def __init__(
        self,
        chgcar_filename: str | Path = "",
        potcar_filename: str | Path = "",
        chgref_filename: str | Path = "",
        **options: Any,
    ) -> None:
        del potcar_filename
        if chgref_filename:
            options["reference"] = [str(chgref_filename)]
        self.basins: Basins = basins(chgcar_filename, **options)

    @classmethod
    def from_path(cls, path: str | Path, **options: Any) -> BaderAnalysis:
        """Of the folder of a VASP run."""
        return cls(path, **options)

    @cached_property
    def data(self) -> list[dict[str, float]]:
        """Of each atom: x, y, z, charge (electrons), min_dist (Å), atomic_vol (Å³)."""
        names = ("x", "y", "z", "population", "surface_distance", "volume")
        keys = ("x", "y", "z", "charge", "min_dist", "atomic_vol")
        columns = [self.basins.report.columns[name] for name in names]
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return [dict(zip(keys, row, strict=True)) for row in rows]

    @property
    def nelectrons(self) -> float:
        """Electrons of all atoms and the vacuum."""
        return float(self.basins.populations.sum()) + self.vacuum_charge

    @property
    def vacuum_charge(self) -> float:
        """Electrons that belong to no atom; 0 unless ``vacuum`` was given."""
        return (self.basins.report.vacuum or {}).get("population", 0.0)

    @property
    def vacuum_volume(self) -> float:
        """Volume that belongs to no atom (Å³); 0 unless ``vacuum`` was given."""
        return (self.basins.report.vacuum or {}).get("volume", 0.0)

    def get_charge(self, atom_index: int) -> float:
        """Electrons of an atom."""
        return float(self.basins.populations[atom_index])

    def get_charge_transfer(self, atom_index: int, nelect: float | int | None = None) -> float:
        """Electrons that an atom has gained over ``nelect``, by default its valence."""
        valence = self.basins.report.columns["valence"][atom_index] if nelect is None else nelect
        return self.get_charge(atom_index) - float(valence)

    def get_partial_charge(self, atom_index: int, nelect: float | int | None = None) -> float:
        """Net charge of an atom (e)."""
        return -self.get_charge_transfer(atom_index, nelect)

    def get_charge_decorated_structure(self) -> Any:
        """pymatgen structure with the site property ``charge``, minus the electrons of the site."""
        structure = self._structure()
        structure.add_site_property("charge", (-self.basins.populations).tolist())
        return structure

    def get_oxidation_state_decorated_structure(self, nelects: Any = None) -> Any:
        """pymatgen structure with the net charges as oxidation states."""
        structure = self._structure()
        numbers = nelects or [None] * len(structure)
        charges = [self.get_partial_charge(i, n) for i, n in enumerate(numbers)]
        structure.add_oxidation_state_by_site(charges)
        return structure

    def _structure(self) -> Any:
        from pymatgen.io.ase import AseAtomsAdaptor

        bare = self.basins.atoms.copy()
        for name in [name for name in bare.arrays if name.startswith("basin_")]:
            del bare.arrays[name]
        return AseAtomsAdaptor.get_structure(bare)  # type: ignore[arg-type]  either package's Atoms

    @property
    def summary(self) -> dict[str, Any]:
        """Values of all atoms and the vacuum, by pymatgen's names."""
        return {
            "min_dist": [row["min_dist"] for row in self.data],
            "charge": [row["charge"] for row in self.data],
            "atomic_volume": [row["atomic_vol"] for row in self.data],
            "vacuum_charge": self.vacuum_charge,
            "vacuum_volume": self.vacuum_volume,
            "reference_used": bool(self.basins.report.attractors),
            "bader_version": "zeroflux",
        }
