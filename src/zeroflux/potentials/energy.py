"""Trained potentials: a model with its constants, and per-atom energies of frames."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from zeroflux.errors import ModelError
from zeroflux.frames import Frame
from zeroflux.potentials import layers
from zeroflux.potentials.neighbors import Neighborhood, species_index, stacked_neighborhoods

INPUT_VERSION = 2  # raise it when a descriptor changes: caches then expire
CHUNK_PAIRS = 500_000  # neighbour places per batch, which bounds memory

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Model:
    r"""A trained potential, :math:`\varepsilon_i = o_{s_i} + \sigma\,f_i`, in hartree.

    f is the architecture's output, o the offsets of the elements and σ the scale. The total
    energy *is* the sum of the local energies.
    """

    architecture: Any
    species: tuple[int, ...]
    """Atomic numbers, ascending."""
    params: Any
    """Trained parameters."""
    statistics: dict[str, Any]
    """Constants of the standardisation."""
    offsets: Float[np.ndarray, " n_species"]
    """Energy of each element that is not the network's (hartree)."""
    scale: float
    """Energy of one unit of the architecture's output (hartree)."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """Training manifest: settings, data, learning curve summary, conventions."""

    @property
    def n_parameters(self) -> int:
        """Number of trainable numbers."""
        return layers.n_parameters(self.params)

    def local_energies(
        self, frames: Sequence[Frame], *, cache_dir: Path | None = None
    ) -> list[Float[np.ndarray, " n_atoms"]]:
        """Per-atom energies (hartree) of each frame; they sum to the total energy."""
        return predictions([self], frames, cache_dir=cache_dir)[0]

    def total_energies(
        self, frames: Sequence[Frame], *, cache_dir: Path | None = None
    ) -> Float[np.ndarray, " n_frames"]:
        """Total energy (hartree) of each frame."""
        return np.array([e.sum() for e in self.local_energies(frames, cache_dir=cache_dir)])


def predictions(
    models: Sequence[Model],
    frames: Sequence[Frame],
    *,
    cache_dir: Path | None = None,
    is_brief: bool = False,
) -> list[list[Float[np.ndarray, " n_atoms"]]]:
    """Per-atom energies of many models on the same frames; inputs are computed once.

    Parameters
    ----------
    models
        Trained potentials of any architectures.
    frames
        Configurations that hold only elements the models know.
    cache_dir
        Folder that keeps the inputs between calls.
    is_brief
        For a few small frames: models of one form run at once, compiled quickly rather than for
        speed. Numbers are the same but for rounding.

    Returns
    -------
    list
        For each model and each frame, the per-atom energies (hartree).
    """
    shared: dict[Any, Any] = {}
    forms: dict[Any, list[int]] = {}
    for k, model in enumerate(models):
        key = (model.architecture.input_key, model.species)
        if key not in shared:
            shared[key] = prepared_inputs(
                model.architecture, frames, model.species, cache_dir=cache_dir, is_brief=is_brief
            )
        forms.setdefault((model.architecture, model.species), []).append(k)
    raw: dict[int, np.ndarray] = {}
    for (architecture, species), own in forms.items():
        inputs = shared[architecture.input_key, species]
        if is_brief:
            raw |= zip(own, _ensemble([models[k] for k in own], inputs), strict=True)
        else:
            for k in own:
                raw[k] = _outputs(architecture, models[k].params, models[k].statistics, inputs)
    results = []
    for k, model in enumerate(models):
        each = []
        for row, frame in zip(raw[k], frames, strict=True):
            offsets = model.offsets[species_index(frame, model.species)]
            each.append(offsets + model.scale * row[: frame.n_atoms])
        results.append(each)
    return results


def _ensemble(models: Sequence[Model], inputs: Any) -> np.ndarray:
    """Outputs of models of one architecture on the same few frames, all models at once."""

    def stacked(trees: Sequence[Any]) -> Any:
        return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)

    with jax.enable_x64(True):
        params = stacked([model.params for model in models])
        dtype = jnp.result_type(*jax.tree.leaves(params))
        inputs = jax.tree.map(lambda leaf: _cast(leaf, dtype), inputs)
        statistics = _cast_tree(stacked([model.statistics for model in models]), dtype)
        out = _ensemble_outputs(models[0].architecture, params, statistics, inputs)
        return np.asarray(out, dtype=np.float64)


def _outputs(architecture: Any, params: Any, statistics: Any, inputs: Any) -> np.ndarray:
    """Architecture's output of each atom, chunk by chunk so that memory stays bounded."""
    leaves = jax.tree.leaves(inputs)
    n_frames = len(leaves[0])
    chunk = min(n_frames, max(1, CHUNK_PAIRS // max(leaf[0].size for leaf in leaves)))
    with jax.enable_x64(True):
        # the arithmetic follows the parameters: double where they are double
        dtype = jnp.result_type(*jax.tree.leaves(params))
        inputs = jax.tree.map(lambda leaf: _cast(leaf, dtype), inputs)
        parts = []
        for start in range(0, n_frames, chunk):
            piece = jax.tree.map(lambda leaf: leaf[start : start + chunk], inputs)  # noqa: B023
            n_real = len(jax.tree.leaves(piece)[0])
            if n_real < chunk:  # same shape, same compilation
                repeat = np.minimum(np.arange(chunk), n_real - 1)
                piece = jax.tree.map(lambda leaf: leaf[repeat], piece)  # noqa: B023
            out = _batch_outputs(architecture, params, _cast_tree(statistics, dtype), piece)
            parts.append(np.asarray(out, dtype=np.float64)[:n_real])
    return np.concatenate(parts)


def _vmapped(architecture: Any, params: Any, statistics: Any, inputs: Any) -> Any:
    def one(piece: Any) -> Any:
        return architecture.local_energies(params, architecture.standardise(piece, statistics))

    return jax.vmap(one)(inputs)


def _of_each_model(architecture: Any, params: Any, statistics: Any, inputs: Any) -> Any:
    # one after the other: a wide network's messages on crystals, times all models, fill the memory
    return jax.lax.map(
        lambda one: _vmapped(architecture, one[0], one[1], inputs), (params, statistics)
    )


_QUICK = {"xla_backend_optimization_level": 0}
_batch_outputs = jax.jit(_vmapped, static_argnames="architecture")
_ensemble_outputs = jax.jit(_of_each_model, static_argnames="architecture", compiler_options=_QUICK)


def _cast(leaf: np.ndarray, dtype: Any) -> np.ndarray:
    return leaf.astype(dtype) if np.issubdtype(leaf.dtype, np.floating) else leaf


def _cast_tree(tree: Any, dtype: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), tree)


def prepared_inputs(
    architecture: Any,
    frames: Sequence[Frame],
    species: Sequence[int],
    *,
    cache_dir: Path | None = None,
    is_brief: bool = False,
) -> Any:
    """What the architecture reads of each frame, stacked; computed once and cached by content.

    The file name is a hash of the positions, cells, elements and everything the inputs depend
    on, so a cache can be shared by runs and never goes stale. ``is_brief`` as in `predictions`.
    """
    frames = list(frames)
    if not frames:
        raise ModelError("There are no configurations; expected at least one.")
    path = None
    if cache_dir is not None:
        path = Path(cache_dir) / f"inputs-{_content_hash(architecture, frames, species)}.npz"
        if path.exists():
            with np.load(path, allow_pickle=False) as stored:
                leaves = [stored[f"leaf{k}"] for k in range(len(stored.files))]
            return jax.tree.unflatten(_input_structure(architecture), leaves)
    neighborhoods = stacked_neighborhoods(frames, species, architecture.cutoff)
    chunk = min(len(frames), max(1, CHUNK_PAIRS // neighborhoods.neighbors[0].size))
    parts = []
    with jax.enable_x64(True):  # features in double, whatever is trained on them later
        for start in range(0, len(frames), chunk):
            index = np.minimum(np.arange(start, start + chunk), len(frames) - 1)
            piece = jax.tree.map(lambda leaf: leaf[index], neighborhoods)  # noqa: B023
            inputs = (_brief_inputs if is_brief else _batch_inputs)(architecture, piece)
            n_real = min(chunk, len(frames) - start)
            parts.append(jax.tree.map(lambda leaf: np.asarray(leaf)[:n_real], inputs))  # noqa: B023
    stacked = jax.tree.map(lambda *pieces: np.concatenate(pieces), *parts)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.stem}.{os.getpid()}.npz")
        leaves = jax.tree.leaves(stacked)
        np.savez(temporary, **{f"leaf{k}": leaf for k, leaf in enumerate(leaves)})
        temporary.replace(path)
        logger.info("inputs of %d configurations cached in %s", len(frames), path)
    return stacked


class SharedInputs:
    """Prepared inputs of many frames, computed once for all models that read the same of them."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self._frames = list({id(frame): frame for frame in frames}.values())
        self._known: dict[Any, tuple[dict[int, int], Any]] = {}

    def of(self, model: Model, frames: Sequence[Frame]) -> Any:
        """Inputs of some of the frames, which hold only elements that the model knows."""
        key = (model.architecture.input_key, model.species)
        if key not in self._known:
            elements = set(model.species)
            own = [f for f in self._frames if set(f.atomic_numbers.tolist()) <= elements]
            inputs = prepared_inputs(model.architecture, own, model.species)
            self._known[key] = {id(frame): k for k, frame in enumerate(own)}, inputs
        place, inputs = self._known[key]
        rows = [place[id(frame)] for frame in frames]
        return jax.tree.map(lambda leaf: leaf[rows], inputs)


def _vmapped_inputs(architecture: Any, neighborhoods: Neighborhood) -> Any:
    return jax.vmap(architecture.inputs)(neighborhoods)


_batch_inputs = jax.jit(_vmapped_inputs, static_argnames="architecture")
_brief_inputs = jax.jit(_vmapped_inputs, static_argnames="architecture", compiler_options=_QUICK)


def _input_structure(architecture: Any) -> Any:
    """Tree of the architecture's inputs, found without computing them."""
    one = Neighborhood(
        jax.ShapeDtypeStruct((1,), np.int32),
        jax.ShapeDtypeStruct((1, 1), np.int32),
        jax.ShapeDtypeStruct((1, 1, 3), np.float32),
    )
    return jax.tree.structure(jax.eval_shape(architecture.inputs, one))


def _content_hash(architecture: Any, frames: Sequence[Frame], species: Sequence[int]) -> str:
    digest = hashlib.sha256()
    key = (INPUT_VERSION, type(architecture).__name__, architecture.input_key, tuple(species))
    digest.update(repr(key).encode())
    for frame in frames:
        for array in (frame.atomic_numbers, frame.positions, frame.cell):
            digest.update(np.ascontiguousarray(array).tobytes())
            digest.update(str(array.shape).encode())
    return digest.hexdigest()[:32]


def composition(frames: Sequence[Frame], species: Sequence[int]) -> Int[np.ndarray, "n_frames _"]:
    """Number of atoms of each element in each frame."""
    return np.stack(
        [np.bincount(species_index(f, species), minlength=len(species)) for f in frames]
    )
