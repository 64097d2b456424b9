"""A damaged checkpoint is refused with one clear line, before anything is allocated."""

import json
import struct

import jax
import numpy as np
import pytest

from zeroflux.errors import ArtifactError
from zeroflux.frames import Frame
from zeroflux.potentials.energy import Model, prepared_inputs
from zeroflux.potentials.registry import sized_architecture
from zeroflux.training.checkpoints import load_model, save_model

FRAME = Frame(np.full(3, 18), np.array([[0.0, 0, 0], [6, 1, 0], [1, 7, 2]]), 13.0 * np.eye(3))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> bytes:
    """A small network, without a checksum as files had none before."""
    architecture = sized_architecture("bpnn", 200, cutoff=10.0, n_species=1)
    with jax.enable_x64(True):
        statistics = architecture.statistics(prepared_inputs(architecture, [FRAME], (18,)))
    params = jax.tree.map(np.asarray, architecture.init(0))
    path = tmp_path_factory.mktemp("model") / "network.safetensors"
    save_model(path, Model(architecture, (18,), params, statistics, np.array([-21.0]), 1e-3))
    return path.read_bytes()


def parts(content: bytes) -> tuple[dict, bytes]:
    """Header and data of a safetensors file."""
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def edited(content: bytes, edit, *, keep_checksum: bool = False) -> bytes:
    """The file with its header changed by ``edit(tensors, model)``."""
    tensors, data = parts(content)
    model = json.loads(tensors["__metadata__"]["zeroflux"])
    edit(tensors, model)
    tensors["__metadata__"]["zeroflux"] = json.dumps(model)
    if not keep_checksum:
        tensors["__metadata__"].pop("sha256")
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text + data


def reshape(tensors, name, change):
    tensors[name]["shape"] = change(tensors[name]["shape"])


DAMAGES = {
    "size": (
        lambda t, m: m["hyperparameters"].update(n_radial=10**12),
        "n_radial is 1000000000000",
    ),
    "depth": (lambda t, m: m["hyperparameters"].update(depth=10**9), "depth is"),
    "width": (lambda t, m: m["hyperparameters"].update(width=900_000), "has shape"),
    "kind": (lambda t, m: m["hyperparameters"].update(width="28"), "width is '28'"),
    "infinite": (lambda t, m: m["hyperparameters"].update(cutoff=float("inf")), "cutoff is inf"),
    "unknown": (lambda t, m: m["hyperparameters"].update(colour=1), "hyperparameters are"),
    "architecture": (lambda t, m: m.update(architecture=["bpnn"]), "architecture is"),
    "key": (lambda t, m: m.update(offsets_hartrea=m.pop("offsets_hartree")), "offsets_hartree is"),
    "offset": (lambda t, m: m.update(offsets_hartree=[float("nan")]), "offsets_hartree is"),
    "scale": (lambda t, m: m.update(scale_hartree=None), "scale_hartree is None"),
    "species": (lambda t, m: m.update(species=[18, 36]), "species are"),
    "element": (lambda t, m: m.update(species=[-18]), "species are"),
    "training": (lambda t, m: m.pop("training"), "training manifest"),
    "count": (lambda t, m: m.update(n_parameters=7), "n_parameters is 7"),
    "axis": (
        lambda t, m: reshape(t, "statistics/mean", lambda s: [1, *s]),
        "array statistics/mean has shape",
    ),
    "axis of weights": (
        lambda t, m: reshape(t, "params/layer0/bias", lambda s: [*s, 1]),
        "array params/layer0/bias has shape",
    ),
    "transposed": (
        lambda t, m: reshape(t, "params/layer0/weight", lambda s: s[::-1]),
        "array params/layer0/weight has shape",
    ),
    "name": (lambda t, m: t.update(params=t.pop("params/layer0/bias")), "array params does not"),
    "type": (lambda t, m: t["params/layer0/bias"].update(dtype="I32"), "arrays of type"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_header_that_is_not_the_architectures_is_refused(checkpoint, tmp_path, damage):
    edit, message = DAMAGES[damage]
    path = tmp_path / "network.safetensors"
    path.write_bytes(edited(checkpoint, edit))
    with pytest.raises(ArtifactError, match=message) as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_sound_file_without_a_checksum_is_accepted(checkpoint, tmp_path):
    """Control: what every damage starts from."""
    path = tmp_path / "network.safetensors"
    path.write_bytes(edited(checkpoint, lambda t, m: None))
    whole = tmp_path / "whole.safetensors"
    whole.write_bytes(checkpoint)
    found, expected = (load_model(p).local_energies([FRAME])[0] for p in (path, whole))
    np.testing.assert_array_equal(found, expected)


def test_parameters_that_are_not_finite_are_refused(checkpoint, tmp_path):
    tensors, data = parts(checkpoint)
    start, _ = tensors["params/layer0/bias"]["data_offsets"]
    broken = bytearray(data)
    broken[start : start + 4] = np.float32("nan").tobytes()
    path = tmp_path / "network.safetensors"
    path.write_bytes(edited(checkpoint[: len(checkpoint) - len(data)] + broken, lambda t, m: None))
    with pytest.raises(ArtifactError, match=r"1 of .* values that are not finite"):
        load_model(path)


def test_one_changed_digit_is_found_by_the_checksum(checkpoint, tmp_path):
    path = tmp_path / "network.safetensors"
    edit = lambda t, m: m.update(scale_hartree=1.1e-3)  # noqa: E731
    path.write_bytes(edited(checkpoint, edit, keep_checksum=True))
    with pytest.raises(ArtifactError, match="does not match its checksum"):
        load_model(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "17", "null", "{", '"x"'])
def test_a_header_that_is_no_mapping_is_refused(checkpoint, tmp_path, text):
    tensors, data = parts(checkpoint)
    tensors["__metadata__"] = {"zeroflux": text}
    header = json.dumps(tensors).encode()
    path = tmp_path / "network.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
    with pytest.raises(ArtifactError, match="not a sound zeroflux safetensors file"):
        load_model(path)
