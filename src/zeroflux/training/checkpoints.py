"""One file per trained model, readable without running code from it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zeroflux.errors import ArtifactError
from zeroflux.potentials.energy import Model
from zeroflux.potentials.registry import architecture_from, hyperparameters
from zeroflux.training.checkpoint_form import Forms, check_values, model_form
from zeroflux.training.state import CurveRow, named_leaves, nested, read_tensors, write_tensors

SCHEMA_VERSION = 2  # 2: what enters a layer of PaiNN is bounded


def save_model(path: Path, model: Model) -> None:
    """Write a model to one safetensors file.

    The header's ``zeroflux`` entry is JSON: schema version, architecture and hyperparameters,
    species, offsets (hartree), scale (hartree), and the training manifest. Tensors are named
    ``params/...`` and ``statistics/...``.
    """
    header = {
        "schema_version": SCHEMA_VERSION,
        "kind": "model",
        "architecture": model.architecture.name,
        "hyperparameters": hyperparameters(model.architecture),
        "species": list(model.species),
        "offsets_hartree": model.offsets.tolist(),
        "scale_hartree": model.scale,
        "n_parameters": model.n_parameters,
        "training": model.metadata,
    }
    arrays = {
        **{f"params/{name}": leaf for name, leaf in named_leaves(model.params).items()},
        **{f"statistics/{name}": leaf for name, leaf in named_leaves(model.statistics).items()},
    }
    write_tensors(Path(path), arrays, header)


def load_model(path: Path | str) -> Model:
    """Read a model written by `save_model`.

    Raises
    ------
    ArtifactError
        If the file is missing, damaged or of another schema.
    """

    def check(header: dict[str, Any], forms: Forms) -> None:
        found = (header.get("kind"), header.get("schema_version"))
        if found != ("model", SCHEMA_VERSION):
            raise ArtifactError(
                f"{path}: holds {found[0]} of schema {found[1]}; expected a model of schema "
                f"{SCHEMA_VERSION}. Train again with this version."
            )
        model_form(header, forms)

    arrays, header = read_tensors(Path(path), check=check)
    try:
        check_values(arrays)
    except ValueError as error:
        raise ArtifactError(f"{path}: {error}. The file is damaged; train again.") from error
    tree = nested(arrays)
    return Model(
        architecture=architecture_from(header["architecture"], header["hyperparameters"]),
        species=tuple(header["species"]),
        params=tree["params"],
        statistics=tree.get("statistics", {}),
        offsets=np.array(header["offsets_hartree"]),
        scale=header["scale_hartree"],
        metadata=header["training"],
    )


def model_header(path: Path | str) -> dict[str, Any]:
    """JSON header of a checkpoint, without its arrays being used."""
    return read_tensors(Path(path))[1]


def curve_csv(curve: Sequence[CurveRow]) -> str:
    """Learning curve as CSV text; errors in hartree per atom."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            "step",
            "train_rmse_hartree_per_atom",
            "held_out_rmse_hartree_per_atom",
            "learning_rate",
        ]
    )
    writer.writerows(curve)
    return text.getvalue()
