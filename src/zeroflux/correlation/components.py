"""Per-atom energy components of many configurations, and the predictors made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from zeroflux.errors import LabelError
from zeroflux.labels import TERMS, Label, system_name
from zeroflux.units import ELECTRONVOLT


@dataclass(frozen=True, eq=False)
class ComponentTable:
    """Components and energies of the atoms of many configurations, one row per atom (hartree).

    Raises
    ------
    LabelError
        If the arrays do not describe the same atoms, or a number is not finite.
    """

    components: Float[np.ndarray, "n_atoms n_terms"]
    """Per-atom components, columns in the order of ``zeroflux.labels.TERMS``."""
    basin_energy: Float[np.ndarray, " n_atoms"]
    """Direct per-atom energies. Only read to judge a shortcut, never to fit one."""
    species: Int[np.ndarray, " n_atoms"]
    """Atomic numbers."""
    configuration: Int[np.ndarray, " n_atoms"]
    """Configuration of each atom, 0 to n_configurations − 1."""
    total_energy: Float[np.ndarray, " n_configurations"]
    """Energies of the cells."""
    systems: tuple[str, ...]
    """Name of the system of each configuration."""

    def __post_init__(self) -> None:
        shapes_ok = (
            self.components.shape == (len(self.species), len(TERMS))
            and self.basin_energy.shape == self.species.shape == self.configuration.shape
            and len(self.systems) == len(self.total_energy)
        )
        counts = np.bincount(self.configuration, minlength=len(self.total_energy))
        if not shapes_ok or len(counts) != len(self.total_energy) or (counts == 0).any():
            raise LabelError(
                f"Found {self.components.shape} components for {len(self.species)} atoms in "
                f"{len(self.total_energy)} configurations; expected ({len(self.species)}, "
                f"{len(TERMS)}) and atoms in each configuration. Build the table from labels."
            )
        if not (np.isfinite(self.components).all() and np.isfinite(self.total_energy).all()):
            raise LabelError(
                "Found components or totals that are not finite; expected numbers. "
                "Leave out configurations whose self-consistent field did not converge."
            )

    @property
    def n_configurations(self) -> int:
        """Number of configurations."""
        return len(self.total_energy)

    @property
    def n_atoms_per_configuration(self) -> Int[np.ndarray, " n_configurations"]:
        """Number of atoms of each configuration."""
        return np.bincount(self.configuration, minlength=self.n_configurations)

    @property
    def species_present(self) -> tuple[int, ...]:
        """Atomic numbers that occur, ascending."""
        return tuple(int(number) for number in np.unique(self.species))

    def component(self, name: str) -> Float[np.ndarray, " n_atoms"]:
        """One component per atom (hartree)."""
        return self.components[:, TERMS.index(name)]

    def totals(
        self, per_atom: Float[np.ndarray, " n_atoms"]
    ) -> Float[np.ndarray, " n_configurations"]:
        """Sum a per-atom quantity over each configuration."""
        return np.bincount(self.configuration, weights=per_atom, minlength=self.n_configurations)

    def subset(self, configurations: Int[np.ndarray, " n_chosen"]) -> ComponentTable:
        """The table of chosen configurations, in that order; one may occur several times."""
        rows = [np.flatnonzero(self.configuration == k) for k in configurations]
        atoms = np.concatenate(rows) if rows else np.empty(0, dtype=np.int64)
        return ComponentTable(
            components=self.components[atoms],
            basin_energy=self.basin_energy[atoms],
            species=self.species[atoms],
            configuration=np.repeat(np.arange(len(rows)), [len(row) for row in rows]),
            total_energy=self.total_energy[configurations],
            systems=tuple(self.systems[k] for k in configurations),
        )

    def of_systems(self, names: Sequence[str]) -> ComponentTable:
        """The table of the configurations of the named systems."""
        chosen = np.flatnonzero(np.isin(np.array(self.systems), names))
        if not chosen.size:
            raise LabelError(
                f"Found no configuration of {', '.join(names)}; the labels hold "
                f"{', '.join(sorted(set(self.systems)))}. Name one of those."
            )
        return self.subset(chosen)


def component_table(labels: Sequence[Label]) -> ComponentTable:
    """Table of the converged labels; ``info["system"]`` names the system, else the formula does.

    Raises
    ------
    LabelError
        If no label converged.
    """
    used = [label for label in labels if label.is_converged]
    if not used:
        raise LabelError(
            f"Found {len(labels)} labels, none of them converged; expected at least one. "
            "Label more configurations or loosen the convergence threshold."
        )
    return ComponentTable(
        components=np.concatenate(
            [np.column_stack([getattr(label.terms, term) for term in TERMS]) for label in used]
        ),
        basin_energy=np.concatenate([label.basin_energy for label in used]),
        species=np.concatenate([label.frame.atomic_numbers for label in used]),
        configuration=np.repeat(np.arange(len(used)), [label.n_atoms for label in used]),
        total_energy=np.array([label.total_energy for label in used]),
        systems=tuple(system_name(label) for label in used),
    )


def isolated_energies(labels: Sequence[Label]) -> dict[int, float] | None:
    """Energies of the isolated atoms by atomic number (hartree), as ``references`` of a fit.

    They are read from ``info["isolated_energy_SYMBOL_ev"]``; None if one of a species is missing.
    """
    from ase.data import chemical_symbols

    found: dict[int, float] = {}
    for label in labels:
        for number in np.unique(label.frame.atomic_numbers):
            key = f"isolated_energy_{chemical_symbols[number]}_ev"
            if key in label.info:
                found[int(number)] = float(label.info[key]) * ELECTRONVOLT
    needed = {int(z) for label in labels for z in label.frame.atomic_numbers}
    return found if needed and needed <= set(found) else None


@dataclass(frozen=True)
class Predictor:
    """One or more linear combinations of components from which energies are predicted."""

    name: str
    """Short name; a comma separates combinations with slopes of their own."""
    combinations: tuple[Mapping[str, float], ...]
    """Each maps component names to weights."""

    def __post_init__(self) -> None:
        unknown = {key for mapping in self.combinations for key in mapping} - set(TERMS)
        if unknown or not self.combinations:
            raise ValueError(
                f"Predictor {self.name!r} uses {sorted(unknown) or 'nothing'}; expected components "
                f"among {', '.join(TERMS)}. Correct the names."
            )

    @property
    def weights(self) -> Float[np.ndarray, "n_terms n_predictors"]:
        """Columns turn components into predictors."""
        return np.array(
            [[mapping.get(term, 0.0) for mapping in self.combinations] for term in TERMS],
            dtype=np.float64,
        )

    def values(self, table: ComponentTable) -> Float[np.ndarray, "n_atoms n_predictors"]:
        """Predictors of every atom (hartree)."""
        return table.components @ self.weights


_SHORT = {
    "t": "kinetic",
    "xc": "xc",
    "es": "electrostatic",
    "ppl": "pseudo_local",
    "nl": "pseudo_nonlocal",
}


def predictor(name: str) -> Predictor:
    """Predictor from its name: ``"t+xc"`` is one sum, ``"t,xc"`` two terms with own slopes.

    Short names: t (kinetic), xc, es (electrostatic), ppl and nl (pseudopotential); the names of
    the terms in full serve as well.
    """
    parts = [
        [_SHORT.get(word.strip(), word.strip()) for word in part.split("+")]
        for part in name.split(",")
    ]
    unknown = {word for part in parts for word in part} - set(TERMS)
    if unknown:
        raise ValueError(
            f"Found predictor {name!r} with unknown {', '.join(sorted(unknown))!r}; expected "
            f"{', '.join(_SHORT)} or {', '.join(TERMS)}, joined by '+' (one slope) or ',' "
            "(a slope each)."
        )
    return Predictor(name, tuple(dict.fromkeys(part, 1.0) for part in parts))


STANDARD_PREDICTORS: tuple[Predictor, ...] = tuple(
    predictor(name)
    for name in (
        *("es", "xc", "t", "t+xc", "es+xc", "t+es", "t+xc+es"),
        *("t,xc", "es,xc", "t,es", "t,nl", "t,xc,es"),
    )
)
"""The choices of section "shortcut" of docs/correlation.md."""
