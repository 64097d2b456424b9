"""Trees of arrays and training states as safetensors files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np

from zeroflux.errors import ArtifactError, missing_extra

METADATA_KEY = "zeroflux"


def named_leaves(tree: Any) -> dict[str, np.ndarray]:
    """Arrays of a tree by their path, such as ``params/layer0/weight``."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        "/".join(_name(part) for part in path): np.ascontiguousarray(leaf) for path, leaf in leaves
    }


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
    path.parent.mkdir(parents=True, exist_ok=True)
    # safetensors stores no zero-dimensional NumPy scalars reliably: keep them one-dimensional
    contiguous = {k: np.ascontiguousarray(np.atleast_1d(v)) for k, v in arrays.items()}
    header = {METADATA_KEY: json.dumps(metadata, sort_keys=True)}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(save(contiguous, metadata=header))
    temporary.replace(path)


def read_tensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and JSON header of a file written by `write_tensors`; no code is unpickled.

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
            header = json.loads((stored.metadata() or {})[METADATA_KEY])
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise ArtifactError(f"{path}: no such file; expected a checkpoint.") from error
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise ArtifactError(
            f"{path}: not a zeroflux safetensors file ({error}). Train again, or name another file."
        ) from error
    return arrays, header


def save_state(path: Path, state: Any, rows: list[list[Any]]) -> None:
    """Keep the state of a training and its learning curves."""
    write_tensors(path, named_leaves(state), {"rows": [[tuple(r) for r in one] for one in rows]})


def load_state(path: Path, *, like: Any) -> tuple[Any, list[list[Any]]]:
    """State and learning curves from `save_state`, in the form of the state ``like``."""
    from zeroflux.training.fit import CurveRow

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
