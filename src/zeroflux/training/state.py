"""Trees of arrays and training states as safetensors files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from zeroflux.artifacts.atomic import make_folder, replacing
from zeroflux.errors import ArtifactError, missing_extra

METADATA_KEY = "zeroflux"
CHECKSUM_KEY = "sha256"


class CurveRow(NamedTuple):
    """One look at a network in training."""

    step: int
    train_rmse_hartree: float
    """Root-mean-square error per atom since the last look, over the batches seen (hartree). For
    the controls it is the root of the loss in the same unit."""
    held_out_rmse_hartree: float
    """Root-mean-square error of held-out totals per atom (hartree)."""
    learning_rate: float


def named_leaves(tree: Any) -> dict[str, np.ndarray]:
    """Arrays of a tree by their path, such as ``params/layer0/weight``."""
    return {name: np.ascontiguousarray(leaf) for name, leaf in leaves_by_path(tree).items()}


def leaves_by_path(tree: Any) -> dict[str, Any]:
    """Leaves of a tree, of whatever kind, by their path."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {"/".join(_name(part) for part in path): leaf for path, leaf in leaves}


def _name(part: Any) -> str:
    for attribute in ("key", "name", "idx"):
        if hasattr(part, attribute):
            return str(getattr(part, attribute))
    raise TypeError(f"cannot name the tree part {part!r}")


def nested(named: dict[str, np.ndarray]) -> Any:
    """Inverse of `named_leaves` for trees of dictionaries."""
    tree: dict[str, Any] = {}
    for path, leaf in named.items():
        *parents, last = path.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = leaf
    return tree


def write_tensors(path: Path, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> None:
    """Write arrays and a JSON header to a safetensors file, all or nothing."""
    try:
        from safetensors.numpy import save
    except ModuleNotFoundError as error:
        raise missing_extra("safetensors", "learn") from error
    path = Path(path)
    make_folder(path.parent)
    # safetensors stores no zero-dimensional NumPy scalars reliably: keep them one-dimensional
    contiguous = {k: np.ascontiguousarray(np.atleast_1d(v)) for k, v in arrays.items()}
    text = json.dumps(metadata, sort_keys=True)
    header = {METADATA_KEY: text, CHECKSUM_KEY: _checksum(contiguous, text)}
    with replacing(path) as part:
        part.write_bytes(save(contiguous, metadata=header))


def _checksum(arrays: dict[str, np.ndarray], text: str) -> str:
    """Of the names, types, shapes and values of the arrays and of the JSON header."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def read_tensors(
    path: Path, *, check: Callable[[dict[str, Any], dict[str, Any]], object] | None = None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and JSON header of a file written by `write_tensors`; no code is unpickled.

    ``check`` gets the header and the type and shape of every array by its name before any array
    is read; what it finds wrong it raises as `ValueError`.

    Raises
    ------
    ArtifactError
        If the file is missing, damaged or not ours.
    """
    try:
        from safetensors import SafetensorError, safe_open
    except ModuleNotFoundError as error:
        raise missing_extra("safetensors", "learn") from error
    try:
        with safe_open(str(path), framework="numpy") as stored:
            texts = stored.metadata() or {}
            if METADATA_KEY not in texts:
                raise ValueError(f"its header has no entry '{METADATA_KEY}'")
            header = json.loads(texts[METADATA_KEY])
            if not isinstance(header, dict):
                raise ValueError(f"its entry '{METADATA_KEY}' is no mapping")
            slices = {name: stored.get_slice(name) for name in stored.keys()}  # noqa: SIM118
            if check is not None:
                check(header, {n: (s.get_dtype(), tuple(s.get_shape())) for n, s in slices.items()})
            arrays = {name: stored.get_tensor(name) for name in slices}
        if texts.get(CHECKSUM_KEY, None) not in (None, _checksum(arrays, texts[METADATA_KEY])):
            raise ValueError("its content does not match its checksum")
    except FileNotFoundError as error:
        raise ArtifactError(f"{path}: no such file; expected a checkpoint.") from error
    except (SafetensorError, TypeError, ValueError, OSError, RecursionError) as error:
        raise ArtifactError(
            f"{path}: not a sound zeroflux safetensors file ({error}). Train again, or name "
            "another file."
        ) from error
    return arrays, header


def save_state(path: Path, state: Any, rows: list[list[Any]]) -> None:
    """Keep the state of a training and its learning curves."""
    write_tensors(path, named_leaves(state), {"rows": [[tuple(r) for r in one] for one in rows]})


def load_state(path: Path, *, like: Any) -> tuple[Any, list[list[Any]]]:
    """State and learning curves from `save_state`, in the form of the state ``like``."""
    arrays, header = read_tensors(path)
    names = list(named_leaves(like))
    leaves, structure = jax.tree.flatten(like)
    if set(names) != set(arrays) or any(
        arrays[n].size != np.size(leaf) for n, leaf in zip(names, leaves, strict=True)
    ):
        raise ArtifactError(
            f"{path}: the state belongs to another training (its arrays differ). Delete the file."
        )
    restored = [
        arrays[n].reshape(np.shape(leaf)).astype(leaf.dtype)
        for n, leaf in zip(names, leaves, strict=True)
    ]
    rows = [[CurveRow(*row) for row in one] for one in header["rows"]]
    return jax.tree.unflatten(structure, restored), rows
