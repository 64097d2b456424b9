"""Cells of a study: what is trained, on what, with which settings."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from zeroflux.errors import ConfigError, ModelError
from zeroflux.frames import Frame
from zeroflux.potentials.layers import n_parameters
from zeroflux.potentials.registry import sized_architecture
from zeroflux.training.losses import Target
from zeroflux.training.schedule import Schedule


@dataclass(frozen=True, order=True)
class Cell:
    """One network of the study."""

    architecture: str
    """Name in the registry."""
    size: int
    """Number of parameters asked for; the closest the architecture has is trained."""
    training_set: str
    """Name of the set of configurations."""
    n_configurations: int
    """Configurations given to training, held-out ones included; 0 for all of the set."""
    seed: int
    """Start of the network and order of its batches."""
    target: Target = "total"

    @property
    def group(self) -> tuple[Any, ...]:
        """Cells of one group differ by their seed alone and are trained together."""
        return tuple((k, v) for k, v in asdict(self).items() if k != "seed")

    @property
    def name(self) -> str:
        """File name without suffix."""
        training_set = training_set_in(self.training_set)
        number = f"n{self.n_configurations}" if self.n_configurations else "all"
        target = {"total": "", "local": "_local", "total+forces": "_forces"}[self.target]
        return f"{self.architecture}_{self.size}_{training_set}_{number}{target}_seed{self.seed}"


def training_set_in(name: str) -> str:
    """How a training set is called in file names: the third part between underscores."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name)


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Configurations with their total energies. Basin energies are kept apart, on purpose."""

    frames: tuple[Frame, ...]
    total_energies: Float[np.ndarray, " n_frames"]
    """Total energies (hartree)."""
    forces: tuple[Float[np.ndarray, "_ 3"], ...] | None = None
    """Forces (hartree/bohr), for the control that uses them."""

    @property
    def species(self) -> tuple[int, ...]:
        """Atomic numbers that occur, ascending."""
        return tuple(sorted({int(z) for f in self.frames for z in set(f.atomic_numbers.tolist())}))

    def __post_init__(self) -> None:
        if len(self.frames) != len(self.total_energies):
            raise ModelError(
                f"Found {len(self.frames)} configurations and {len(self.total_energies)} total "
                "energies; expected as many of each."
            )


@dataclass(frozen=True)
class SweepSettings:
    """What all cells of a sweep share."""

    cutoff: float
    """Neighbour cutoff (bohr)."""
    schedule: Schedule = field(default_factory=Schedule)
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    """Further hyperparameters by name; each architecture takes those it has."""
    by_architecture: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Hyperparameters of single architectures, before those for all."""
    held_out_fraction: float = 0.2
    """Share of a cell's configurations that training only looks at to stop early."""
    subset_seed: int = 0
    """Order in which configurations are drawn from a set; the same for all cells, so that
    smaller subsets are contained in larger ones."""
    atom_energies: tuple[tuple[int, float], ...] = ()
    """Atomic number and energy (hartree) of isolated atoms, if known."""


def grid(
    *,
    architectures: Sequence[str],
    sizes: Sequence[int],
    training_sets: Sequence[str],
    n_configurations: Sequence[int] = (0,),
    seeds: Sequence[int],
    targets: Sequence[Target] = ("total",),
) -> list[Cell]:
    """All combinations."""
    combinations = itertools.product(
        architectures, sizes, training_sets, n_configurations, seeds, targets
    )
    return [Cell(*cell) for cell in combinations]


def groups(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Cells that differ by their seed alone, together; small groups of cheap ones first."""
    by_group: dict[Any, list[Cell]] = {}
    for cell in cells:
        by_group.setdefault(cell.group, []).append(cell)
    return sorted(by_group.values(), key=lambda group: (group[0].size, group[0]))


def split(
    n_frames: int, n_configurations: int, *, held_out_fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Indices to train on and to hold out of ``n_configurations`` drawn from ``n_frames``.

    Both parts of a smaller draw are contained in those of a larger one, up to rounding: of each
    block of configurations drawn one after the other the same share is held out.

    Raises
    ------
    ConfigError
        If more configurations are asked for than there are, or too few to hold one out.
    """
    wanted = n_configurations or n_frames
    if not 2 <= wanted <= n_frames:
        raise ConfigError(
            f"{wanted} configurations asked for of a set of {n_frames}; expected 2 to {n_frames}. "
            "Change n_configurations or enlarge the set."
        )
    drawn = np.random.default_rng(seed).permutation(n_frames)[:wanted]
    # configuration k is held out when the running count k·fraction passes a whole number
    steps = np.floor(np.arange(1, wanted + 1) * held_out_fraction)
    is_held_out = np.diff(steps, prepend=0.0) > 0
    if not is_held_out.any():
        is_held_out[-1] = True
    return np.sort(drawn[~is_held_out]), np.sort(drawn[is_held_out])


def architecture_of(cell: Cell, data: TrainingSet, settings: SweepSettings) -> Any:
    return sized_architecture(
        cell.architecture,
        cell.size,
        cutoff=settings.cutoff,
        n_species=len(data.species),
        **{**settings.hyperparameters, **settings.by_architecture.get(cell.architecture, {})},
    )


def n_parameters_of(cell: Cell, data: TrainingSet, settings: SweepSettings) -> int:
    """Number of parameters of a cell's network, the closest its form has to the size wanted."""
    architecture = architecture_of(cell, data, settings)
    return n_parameters(architecture.init(0))
