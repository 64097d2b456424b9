"""What a checkpoint has to hold, known from its header before any array is read."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jax
import numpy as np

from zeroflux.errors import ZerofluxError
from zeroflux.potentials.layers import ShapesOnly
from zeroflux.potentials.neighbors import Neighborhood
from zeroflux.potentials.registry import architecture_class, architecture_from
from zeroflux.training.state import leaves_by_path

MAX_CUTOFF = 200.0
"""Largest believable cutoff (bohr): beyond it a neighbour list fills the memory."""
MAX_LAYERS = 64
MAX_COUNT = 10**6
LAYERS = ("depth", "n_layers", "n_interactions")
FLOATS = ("F32", "F64")

Forms = Mapping[str, tuple[str, tuple[int, ...]]]
"""Type (``"F32"``) and shape of each array by its name."""


def model_form(header: Mapping[str, Any], forms: Forms) -> Any:
    """Architecture of a checkpoint whose header and arrays belong together.

    Nothing is allocated: sizes are bounded first, and the shapes that the architecture asks for
    are found by tracing it.

    Raises
    ------
    ValueError
        If a value of the header, or the name, shape or type of an array, is not what the
        architecture has.
    """
    architecture = _architecture(header)
    n_species = architecture.n_species
    _expect_numbers(header, "offsets_hartree", n_species)
    scale = header.get("scale_hartree")
    if not _is_number(scale) or scale <= 0:
        raise ValueError(f"scale_hartree is {scale!r}; expected a positive number")
    if not isinstance(header.get("training"), dict):
        raise ValueError("the training manifest is missing; expected a mapping")
    found = {name: shape for name, (_, shape) in forms.items()}
    params = _named_shapes(params=_parameters(architecture))
    # The parameters first: what is as large as the file says may then be traced further.
    _expect_shapes({n: s for n, s in found.items() if not n.startswith("statistics/")}, params)
    _expect_shapes(found, params | _named_shapes(statistics=_statistics(architecture)))
    types = sorted(
        {f"{name}: {dtype}" for name, (dtype, _) in forms.items() if dtype not in FLOATS}
    )
    if types:
        raise ValueError(f"arrays of type {', '.join(types)}; expected {' or '.join(FLOATS)}")
    n_parameters = sum(map(math.prod, params.values()))
    if header.get("n_parameters") != n_parameters:
        raise ValueError(
            f"n_parameters is {header.get('n_parameters')!r}, the arrays hold {n_parameters}"
        )
    return architecture


def check_values(arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse parameters that are not finite and constants by which nothing can be divided.

    Spreads may be infinite: that is how a feature which the training never saw is left out.
    """
    for name, array in arrays.items():
        last = name.rpartition("/")[2]
        is_divisor = name.startswith("statistics/") and last not in ("mean", "centre")
        is_sound = array > 0 if is_divisor else np.isfinite(array)
        if not is_sound.all():
            expected = "positive" if is_divisor else "finite"
            raise ValueError(
                f"array {name} has {int((~is_sound).sum())} of {array.size} values that are not "
                f"{expected}"
            )


def _architecture(header: Mapping[str, Any]) -> Any:
    """The architecture, from values of the right kind and believable size."""
    name, values = header.get("architecture"), header.get("hyperparameters")
    if not isinstance(name, str):
        raise ValueError(f"architecture is {name!r}; expected a name")
    try:
        cls = architecture_class(name)
    except ZerofluxError as error:
        raise ValueError(str(error)) from error
    fields = {field.name: field.type for field in dataclasses.fields(cls)}
    if not isinstance(values, dict) or set(values) != set(fields):
        found = sorted(values) if isinstance(values, dict) else values
        raise ValueError(f"hyperparameters are {found}; expected {sorted(fields)}")
    for key, kind in fields.items():
        value = values[key]
        if kind == "int":
            least, most = (1, 3) if key == "l_max" else (0 if key == "n_angular" else 1, MAX_COUNT)
            most = MAX_LAYERS if key in LAYERS else most
            if type(value) is not int or not least <= value <= most:
                raise ValueError(f"{key} is {value!r}; expected an integer of {least} to {most}")
        elif not _is_number(value) or not 0 < value <= MAX_CUTOFF:
            raise ValueError(f"{key} is {value!r}; expected a length of 0 to {MAX_CUTOFF:g} bohr")
    if not values["inner"] < values["cutoff"]:
        raise ValueError(f"inner is {values['inner']}, the cutoff {values['cutoff']} bohr")
    species = header.get("species")
    if (
        not isinstance(species, list)
        or not all(type(z) is int and 1 <= z <= 118 for z in species)
        or species != sorted(set(species))
        or len(species) != values["n_species"]
    ):
        raise ValueError(
            f"species are {species!r}; expected {values['n_species']} atomic numbers, ascending"
        )
    return architecture_from(name, values)


@lru_cache(maxsize=64)  # a study has thousands of checkpoints of few forms
def _parameters(architecture: Any) -> Any:
    """Parameters as mere shapes."""
    return jax.eval_shape(lambda: architecture.init(ShapesOnly()))


@lru_cache(maxsize=64)
def _statistics(architecture: Any) -> Any:
    """Constants of the standardisation as mere shapes."""
    one = Neighborhood(
        jax.ShapeDtypeStruct((1,), np.int32),
        jax.ShapeDtypeStruct((1, 1), np.int32),
        jax.ShapeDtypeStruct((1, 1, 3), np.float32),
    )

    def statistics(piece: Neighborhood) -> Any:
        inputs = architecture.inputs(piece)
        return architecture.statistics(jax.tree.map(lambda leaf: leaf[None], inputs))

    return jax.eval_shape(statistics, one)


def _named_shapes(**trees: Any) -> dict[str, tuple[int, ...]]:
    """Shapes by name; a single number is kept as an array of one."""
    return {name: tuple(leaf.shape) or (1,) for name, leaf in leaves_by_path(trees).items()}


def _expect_numbers(header: Mapping[str, Any], key: str, length: int) -> None:
    values = header.get(key)
    if not isinstance(values, list) or len(values) != length or not all(map(_is_number, values)):
        raise ValueError(f"{key} is {values!r}; expected {length} finite numbers")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _expect_shapes(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse the first array that is missing, too many, or of another shape."""
    for name in sorted({*found, *wanted}):
        if name not in found:
            raise ValueError(f"array {name} of shape {wanted[name]} is missing")
        if name not in wanted:
            raise ValueError(f"array {name} does not belong to the architecture")
        if found[name] != wanted[name]:
            raise ValueError(f"array {name} has shape {found[name]}; expected {wanted[name]}")
