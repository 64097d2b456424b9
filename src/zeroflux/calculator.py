"""ASE calculator of a trained potential; the one place where its units become eV and ångström."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator as AseCalculator
from ase.calculators.calculator import all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from zeroflux.frames import Frame
from zeroflux.potentials.energy import Model
from zeroflux.potentials.layers import n_blocks
from zeroflux.potentials.neighbors import (
    PADDING_DISTANCE,
    Neighborhood,
    pair_list,
    species_index,
)
from zeroflux.training.checkpoints import load_model
from zeroflux.training.losses import forces_from_pairs
from zeroflux.units import ANGSTROM, ELECTRONVOLT

if TYPE_CHECKING:
    from collections.abc import Sequence

PLACES = 8  # rows of the neighbour list grow by this many, so that few shapes are compiled


class Calculator(AseCalculator):
    """Energy, per-atom energies, forces and stress of a zeroflux model, in ASE's units.

    ``energies`` are the local energies, offsets of the elements included; they sum to
    ``energy``. Forces and stress are exact derivatives (automatic differentiation).

    Parameters
    ----------
    checkpoint
        A file written by `zeroflux.training.checkpoints.save_model`, or a model.
    skin
        Margin of the neighbour list (Å); it is rebuilt when an atom has moved half of it.
    is_double
        Compute in double precision; single is about twice as fast and takes half the memory.

    Notes
    -----
    Directions without periodic boundary conditions get vacuum beyond the cutoff. Arrays keep
    their padded shapes from step to step, so a trajectory compiles once, or twice if a row of
    the neighbour list outgrows its places.
    """

    implemented_properties: ClassVar[list[str]] = [
        "energy",
        "free_energy",
        "energies",
        "forces",
        "stress",
    ]

    def __init__(
        self,
        checkpoint: Model | Path | str,
        *,
        skin: float = 1.0,
        is_double: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = checkpoint if isinstance(checkpoint, Model) else load_model(checkpoint)
        self.skin = skin
        self.is_double = is_double
        self.n_lists_built = 0
        self._list: _List | None = None

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Compute everything; called by ASE when something has changed."""
        super().calculate(atoms, list(properties), list(system_changes))
        model, architecture = self.model, self.model.architecture
        if self.atoms is None:
            raise ValueError("the calculator has no atoms; pass them to calculate()")
        frame = periodic_frame(self.atoms, architecture.cutoff / ANGSTROM + self.skin)
        species = species_index(frame, model.species)
        n_atoms = frame.n_atoms
        neighbors = self._neighbor_list(frame)
        with jax.enable_x64(self.is_double):
            dtype = jnp.float64 if self.is_double else jnp.float32
            constants = jax.tree.map(
                lambda leaf: jnp.asarray(leaf, dtype), (model.params, model.statistics)
            )
            output, forces, virial = _evaluate(
                architecture,
                *constants,
                np.pad(species, (0, neighbors.n_rows - n_atoms), constant_values=-1),
                neighbors.neighbors,
                neighbors.images(frame).astype(dtype),
                neighbors.is_used,
                np.pad(frame.positions, ((0, neighbors.n_rows - n_atoms), (0, 0))).astype(dtype),
            )
            energies = model.offsets[species] + model.scale * np.asarray(output, float)[:n_atoms]
            forces = model.scale * np.asarray(forces, float)[:n_atoms]
            strain_derivative = model.scale * np.asarray(virial, float)
        energy = float(energies.sum())
        stress = full_3x3_to_voigt_6_stress(
            0.5 * (strain_derivative + strain_derivative.T) / frame.volume
        )
        self.results = {
            "energy": energy / ELECTRONVOLT,
            "free_energy": energy / ELECTRONVOLT,
            "energies": energies / ELECTRONVOLT,
            "forces": forces / (ELECTRONVOLT / ANGSTROM),
            "stress": stress / (ELECTRONVOLT / ANGSTROM**3),
        }

    def _neighbor_list(self, frame: Frame) -> _List:
        """The kept list where it still holds all neighbours, else a new one."""
        if self._list is None or not self._list.holds(frame, self.skin * ANGSTROM):
            n_places = 0 if self._list is None else self._list.neighbors.shape[1]
            cutoff = self.model.architecture.cutoff + self.skin * ANGSTROM
            self._list = _List(frame, cutoff, n_places)
            self.n_lists_built += 1
        return self._list


class _List:
    """A neighbour list with a skin, padded in both directions, and where it was built."""

    def __init__(self, frame: Frame, cutoff: float, n_places: int) -> None:
        rows = pair_list(frame, cutoff)
        wanted = rows.neighbors.shape[1]
        if wanted > n_places:  # one more step than needed, so that a liquid rarely outgrows it
            n_places = PLACES * (-(-wanted // PLACES) + 1)
        n = n_blocks(frame.n_atoms)
        self.n_rows = n * -(-frame.n_atoms // n)  # equal blocks
        self.built_at = frame
        padding = ((0, self.n_rows - frame.n_atoms), (0, n_places - wanted))
        self.neighbors = np.pad(rows.neighbors, padding)
        self.shifts = np.pad(rows.shifts.astype(np.int16), (*padding, (0, 0)))
        n_used = np.pad(rows.n_used, padding[0])
        self.is_used = np.arange(n_places) < n_used[:, None]

    def holds(self, frame: Frame, skin: float) -> bool:
        """Whether no neighbour within the cutoff can be missing."""
        old = self.built_at
        if old.n_atoms != frame.n_atoms or not np.array_equal(old.cell, frame.cell):
            return False
        moved = np.square(frame.positions - old.positions).sum(axis=1).max(initial=0.0)
        return bool(moved < (0.5 * skin) ** 2)

    def images(self, frame: Frame) -> np.ndarray:
        """Lattice vector of each neighbour's image (bohr)."""
        return self.shifts @ frame.cell


def periodic_frame(atoms: Atoms, reach: float) -> Frame:
    """Frame of ASE atoms, with vacuum of ``reach`` (Å) along directions that are not periodic."""
    if atoms.pbc.all():
        return Frame.from_ase(atoms)
    cell = np.array(atoms.cell.complete())
    for axis in np.flatnonzero(~atoms.pbc):
        others = [cell[k] for k in range(3) if k != axis]
        normal = np.cross(*others)
        normal /= np.linalg.norm(normal)
        height = np.ptp(atoms.positions @ normal) if len(atoms) else 0.0
        cell[axis] = (height + reach + 1.0) * normal
    return Frame.from_ase(Atoms(atoms.numbers, atoms.positions, cell=cell, pbc=True))


@partial(jax.jit, static_argnames="architecture")
def _evaluate(
    architecture: Any,
    params: Any,
    statistics: Any,
    species: Any,
    neighbors: Any,
    images: Any,
    is_used: Any,
    positions: Any,
) -> tuple[Any, Any, Any]:
    """Output of each atom, its derivative's forces, and the derivative by strain."""
    far = jnp.array([PADDING_DISTANCE * architecture.cutoff, 0.0, 0.0], positions.dtype)
    vectors = positions[neighbors] - positions[:, None] + images
    vectors = jnp.where(is_used[..., None], vectors, far)

    def outputs(vectors: Any, species: Any, neighbors: Any) -> Any:
        inputs = architecture.inputs(Neighborhood(species, neighbors, vectors))
        return architecture.local_energies(params, architecture.standardise(inputs, statistics))

    def with_slope(vectors: Any, species: Any, neighbors: Any) -> tuple[Any, Any]:
        def total(vectors: Any) -> tuple[Any, Any]:
            each = outputs(vectors, species, neighbors)
            return each.sum(), each

        slope, each = jax.grad(total, has_aux=True)(vectors)
        return each, slope

    n_atoms = len(species)
    n = n_blocks(n_atoms)
    if architecture.is_local and n > 1:
        # An atom sees its own row only: work through blocks of rows. Of its neighbours it needs
        # the element, so they are replaced by one stand-in per element behind the block's rows.
        n_species, n_rows = architecture.n_species, n_atoms // n
        stand_ins = jnp.arange(n_species, dtype=species.dtype)
        away = jnp.broadcast_to(far, (n_species, *vectors.shape[1:]))

        def block(rows: tuple[Any, Any, Any]) -> tuple[Any, Any]:
            vectors, own, of_neighbors = rows
            extended = jnp.zeros((n_species, of_neighbors.shape[1]), neighbors.dtype)
            each, slope = with_slope(
                jnp.concatenate([vectors, away]),
                jnp.concatenate([own, stand_ins]),
                jnp.concatenate([n_rows + of_neighbors, extended]),
            )
            return each[:n_rows], slope[:n_rows]

        rows = (vectors, species, jnp.maximum(species, 0)[neighbors])
        blocks = jax.tree.map(lambda x: x.reshape(n, n_rows, *x.shape[1:]), rows)
        each, slope = jax.tree.map(
            lambda x: x.reshape(n_atoms, *x.shape[2:]), jax.lax.map(block, blocks)
        )
    else:
        each, slope = with_slope(vectors, species, neighbors)
    virial = jnp.einsum("ija,ijb->ab", vectors, slope)
    return each, forces_from_pairs(slope, neighbors), virial
