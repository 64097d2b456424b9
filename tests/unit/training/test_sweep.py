"""Cells of a sweep: one file each, any order, no basin energies."""

import json
import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest
from safetensors import safe_open

from zeroflux.errors import ArtifactError, ConfigError, ModelError
from zeroflux.execution import Workers
from zeroflux.potentials.registry import ARCHITECTURES
from zeroflux.potentials.rigidity import model_rigidity
from zeroflux.training.cells import SweepSettings, TrainingSet, grid, groups, split
from zeroflux.training.checkpoints import load_model
from zeroflux.training.schedule import Schedule
from zeroflux.training.sweep import checkpoint_path, load_cells, pending, run_cell, sweep

SETTINGS = SweepSettings(
    cutoff=10.0,
    schedule=Schedule(n_steps=20, n_warmup=5, batch_size=8, interval=20),
    hyperparameters={"n_radial": 6, "n_angular": 0, "depth": 1},
)
CELLS = grid(
    architectures=["bpnn"], sizes=[20], training_sets=["toy"], n_configurations=[40], seeds=[0, 1]
)


def tensors(path) -> dict[str, np.ndarray]:
    with safe_open(str(path), framework="numpy") as stored:
        return {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118


def run(cells, data, out, **kwargs) -> list:
    return list(sweep(cells, {"toy": data}, SETTINGS, out, **kwargs))


def test_a_sweep_writes_a_model_and_a_curve_per_cell_and_then_has_nothing_to_do(known, tmp_path):
    data, _ = known
    progress = run(CELLS, data, tmp_path, cache_dir=tmp_path / "cache")
    assert progress[-1].n_done == progress[-1].n_total == 2
    assert progress[-1].remaining_s == 0
    models = load_cells(CELLS, tmp_path)
    assert [m.metadata["cell"]["seed"] for m in models.values()] == [0, 1]
    header = checkpoint_path(tmp_path, CELLS[0]).with_suffix(".csv").read_text().splitlines()[0]
    assert header.startswith("step,train_rmse_hartree_per_atom")
    assert run(CELLS, data, tmp_path) == []


def test_a_killed_sweep_costs_only_what_is_missing(known, tmp_path):
    data, _ = known
    run(CELLS[:1], data, tmp_path)
    before = checkpoint_path(tmp_path, CELLS[0]).stat().st_mtime_ns
    assert pending(CELLS, tmp_path) == CELLS[1:]
    run(CELLS, data, tmp_path, workers=Workers(kind="processes", n_workers=1))
    assert checkpoint_path(tmp_path, CELLS[0]).stat().st_mtime_ns == before
    assert pending(CELLS, tmp_path) == []


def test_no_basin_energy_reaches_a_model_trained_on_totals(known, tmp_path):
    """The same totals with three different sets of basin energies give the same numbers."""
    data, local = known
    spoiled = [np.full_like(each, np.nan) for each in local]
    for name, basins in (("true", local), ("nan", spoiled), ("none", None)):
        given = None if basins is None else {"toy": basins}
        run(CELLS, data, tmp_path / name, local_energies=given)
    reference = tensors(checkpoint_path(tmp_path / "none", CELLS[0]))
    for name in ("true", "nan"):
        found = tensors(checkpoint_path(tmp_path / name, CELLS[0]))
        assert {k: v.tobytes() for k, v in found.items()} == {
            k: v.tobytes() for k, v in reference.items()
        }
    assert "basin" not in " ".join(field.name for field in fields(TrainingSet))
    with pytest.raises(ModelError, match="must not see"):
        run_cell(CELLS[0], data, SETTINGS, local_energies=local)
    # control: the control that is meant to read them does
    control = replace(CELLS[0], architecture="linear", target="local")
    right = run_cell(control, data, SETTINGS, local_energies=local)
    shuffled = run_cell(control, data, SETTINGS, local_energies=[e[::-1].copy() for e in local])
    assert not np.allclose(right.params["weight"], shuffled.params["weight"])


def test_groups_hold_cells_that_differ_by_seed_alone():
    cells = grid(
        architectures=["bpnn", "pair"], sizes=[50, 10], training_sets=["toy"], seeds=[1, 0]
    )
    found = groups(cells)
    assert sorted(cell for group in found for cell in group) == sorted(cells)
    assert all({cell.seed for cell in group} == {0, 1} for group in found)
    assert len({cell.name for cell in cells}) == len(cells)
    assert groups(cells[::-1]) == [group[::-1] for group in found]


def test_smaller_draws_are_contained_in_larger_ones_and_share_no_role():
    large_train, large_held = split(100, 80, held_out_fraction=0.25, seed=3)
    small_train, small_held = split(100, 40, held_out_fraction=0.25, seed=3)
    assert set(small_train) <= set(large_train)
    assert set(small_held) <= set(large_held)
    assert not set(large_train) & set(large_held)
    assert len(large_held) == 20
    other, _ = split(100, 80, held_out_fraction=0.25, seed=4)
    assert set(other) != set(large_train)


@pytest.mark.parametrize("wanted", [1, 101])
def test_a_draw_that_cannot_be_made_is_refused(wanted):
    with pytest.raises(ConfigError, match=f"{wanted} configurations asked for of a set of 100"):
        split(100, wanted, held_out_fraction=0.2, seed=0)


def test_another_process_reads_a_checkpoint_and_predicts_the_same(known, tmp_path):
    data, _ = known
    run(CELLS[:1], data, tmp_path)
    path = checkpoint_path(tmp_path, CELLS[0])
    code = (
        "import sys, json, numpy as np\n"
        "from zeroflux.frames import Frame\n"
        "from zeroflux.training.checkpoints import load_model\n"
        "frame = Frame(np.full(2, 18), np.array([[0., 0, 0], [6, 1, 0]]), 12 * np.eye(3))\n"
        "print(json.dumps(load_model(sys.argv[1]).local_energies([frame])[0].tolist()))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    from zeroflux.frames import Frame

    frame = Frame(np.full(2, 18), np.array([[0.0, 0, 0], [6, 1, 0]]), 12 * np.eye(3))
    here = load_model(path).local_energies([frame])[0]
    np.testing.assert_allclose(json.loads(result.stdout), here, rtol=1e-14)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint at all", None])
def test_a_damaged_or_missing_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"model\.safetensors"):
        load_model(path)


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_every_architecture_trains_on_a_mixture(known, name):
    """The elements share geometry here, so that only their offsets tell them apart."""
    data, local = known
    rng = np.random.default_rng(0)
    frames, totals = [], []
    for frame, energies in zip(data.frames[:40], local[:40], strict=True):
        numbers = rng.choice([18, 36], 4)
        frames.append(replace(frame, atomic_numbers=numbers))
        totals.append(energies.sum() - 2.0 * (numbers == 36).sum())
    mixture = TrainingSet(tuple(frames), np.array(totals))
    settings = replace(SETTINGS, hyperparameters={"n_radial": 4, "n_angular": 1, "l_max": 1})
    model = run_cell(replace(CELLS[0], architecture=name, size=60), mixture, settings)
    assert model.species == (18, 36)
    assert model.offsets[1] - model.offsets[0] == pytest.approx(-2.0, abs=0.01)
    rigidity = model_rigidity(model, frames[:1], frames[:30])
    assert (rigidity[0] > 0).all()
    assert model.total_energies(frames) == pytest.approx(np.array(totals), abs=0.02)


def test_as_many_totals_as_configurations_are_needed(known):
    data, _ = known
    with pytest.raises(ModelError, match="as many of each"):
        TrainingSet(data.frames, data.total_energies[:-1])
