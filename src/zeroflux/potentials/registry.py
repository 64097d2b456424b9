"""Architectures by name. A new one enters the table and inherits the conformance tests."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Protocol

from jaxtyping import Array, Float

from zeroflux import plugins
from zeroflux.errors import ModelError
from zeroflux.potentials.bpnn import BehlerParrinello
from zeroflux.potentials.layers import Params, ShapesOnly
from zeroflux.potentials.linear import Linear, Pair
from zeroflux.potentials.neighbors import Neighborhood
from zeroflux.potentials.painn import PaiNN
from zeroflux.potentials.schnet import SchNet


class Architecture(Protocol):
    """A model's form: frozen hyperparameters and pure functions of parameters and inputs.

    The life of a configuration: `Neighborhood` → `inputs` (free of parameters, cached) →
    `standardise` → `local_energies`, in units of a scale that the training sets.
    """

    name: ClassVar[str]
    is_linear: ClassVar[bool]
    """Linear in its parameters; then `design` exists and training is a ridge regression."""

    size_field: ClassVar[str]
    """Hyperparameter that `sized` chooses."""
    learning_rate_factor: ClassVar[float]
    """Factor on the common learning rate, the same for all sizes."""

    @property
    def is_local(self) -> bool:
        """Whether an atom's energy depends on its own neighbours alone, not on theirs."""
        ...

    @property
    def cutoff(self) -> float:
        """Distance beyond which a neighbour has no influence (bohr)."""
        ...

    @property
    def n_species(self) -> int:
        """Number of elements."""
        ...

    @property
    def input_key(self) -> Any:
        """Hashable; what the inputs depend on."""
        ...

    @classmethod
    def sized(
        cls, n_parameters: int, *, cutoff: float, n_species: int, **fixed: Any
    ) -> Architecture:
        """Architecture with about this number of parameters."""
        ...

    def init(self, key: Array | int | ShapesOnly) -> Params:
        """Starting parameters."""
        ...

    def inputs(self, neighborhood: Neighborhood) -> Any:
        """What the model reads, of one configuration."""
        ...

    def statistics(self, inputs: Any) -> dict[str, Array]:
        """Constants of the standardisation from the inputs of a training set."""
        ...

    def standardise(self, inputs: Any, statistics: dict[str, Any]) -> Any:
        """Inputs of order one."""
        ...

    def local_energies(self, params: Params, inputs: Any) -> Float[Array, " n_atoms"]:
        """Energy of each atom in units of the scale; zero for padding atoms."""
        ...

    def last_layer(self, params: Params, inputs: Any) -> Float[Array, "n_atoms _"]:
        """Derivative of each local energy by the last layer's parameters."""
        ...


ARCHITECTURES: dict[str, type[Any]] = {
    architecture.name: architecture
    for architecture in (Linear, Pair, BehlerParrinello, SchNet, PaiNN)
}


def architecture_class(name: str) -> type[Any]:
    """Class of an architecture by its name.

    Raises
    ------
    ModelError
        If no architecture has this name.
    """
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    added = plugins.installed("architectures")
    if name not in added:
        known = ", ".join([*ARCHITECTURES, *added])
        raise ModelError(
            f"Unknown architecture '{name}'; expected one of {known}. Correct the name, or install "
            "the package that has it."
        )
    return plugins.load("architectures", name)


def sized_architecture(
    name: str, n_parameters: int, *, cutoff: float, n_species: int, **fixed: Any
) -> Any:
    """Architecture ``name`` with about ``n_parameters`` parameters.

    Parameters
    ----------
    name
        Key of `ARCHITECTURES`.
    n_parameters
        Number of trainable parameters wanted; the closest width (or number of radial functions)
        is taken.
    cutoff
        Neighbour cutoff (bohr).
    n_species
        Number of elements.
    **fixed
        Other hyperparameters by name; those the architecture does not have, and the one that sets
        its size, are left out, so that one set of descriptor settings serves all.
    """
    cls = architecture_class(name)
    known = {field.name for field in dataclasses.fields(cls)} - {cls.size_field}
    kept = {key: value for key, value in fixed.items() if key in known}
    return cls.sized(n_parameters, cutoff=cutoff, n_species=n_species, **kept)


def hyperparameters(architecture: Any) -> dict[str, Any]:
    """Fields of an architecture, ready for JSON."""
    return dataclasses.asdict(architecture)


def architecture_from(name: str, fields: dict[str, Any]) -> Any:
    """Inverse of `hyperparameters`."""
    return architecture_class(name)(**fields)
