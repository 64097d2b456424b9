"""A study on labels that exist: training sets, test sets, learning curve, controls."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from zeroflux.artifacts.extxyz import read_labels, write_labels
from zeroflux.calculator import Calculator
from zeroflux.config_file import load_config
from zeroflux.errors import ArtifactError, ConfigError
from zeroflux.labels import BASIN_FIELDS, Label
from zeroflux.run_directory import new_run
from zeroflux.sampling import LennardJones, PairPotential
from zeroflux.sampling.pair_sums import pair_energies, pair_forces
from zeroflux.stages import run_stages, status
from zeroflux.stages.evaluate import load_results, split_of
from zeroflux.stages.train import read_cells
from zeroflux.training.checkpoints import load_model
from zeroflux.training.sweep import checkpoint_path
from zeroflux.units import ANGSTROM, ELECTRONVOLT, MILLIELECTRONVOLT

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "title": "Argon in three pools",
    "data": {"files": {"cold": "cold.extxyz", "hot": "hot.extxyz", "more": "more.extxyz.xz"}},
    "train": {
        "training_sets": {"cold": ["cold"], "both": ["cold", "hot"]},
        "architectures": ["pair", "bpnn"],
        "sizes": [60],
        "seeds": [0, 1],
        "n_configurations": [12, "all"],
        "cutoff_angstrom": 5.0,
        "n_steps": 50,
        "workers": {"kind": "serial"},
        "also": [
            {
                "controls": ["basin_energies"],
                "architectures": ["bpnn"],
                "training_sets": ["cold"],
                "n_configurations": ["all"],
                "seeds": [0],
            }
        ],
    },
    "evaluate": {"n_bootstrap": 20, "test_sets": {"cold": ["cold"], "new": ["more"]}},
}


def shuffled(label: Label, rng: np.random.Generator) -> Label:
    """The same configuration and total with basin energies dealt out anew."""
    order = rng.permutation(label.n_atoms)
    terms = {name: getattr(label.terms, name)[order] for name in BASIN_FIELDS}
    return replace(label, terms=replace(label.terms, **terms))


def write_pools(folder: Path, labels: list[Label]) -> None:
    write_labels(folder / "cold.extxyz", labels[:24])
    write_labels(folder / "hot.extxyz", labels[24:40])
    write_labels(folder / "more.extxyz.xz", labels[40:50])


def silent(what: str, n_done: int, n_total: int) -> None:
    """No progress shown."""


def run(folder: Path, out: Path, settings: dict = SETTINGS, *names: str):
    config = folder / "study.yaml"
    config.write_text(yaml.safe_dump(settings, sort_keys=False))
    said: list[str] = []
    opened = new_run(config, out, say=said.append, progress=silent, is_forced=True)
    run_stages(opened, *(names or ("label", "train", "evaluate")))
    return opened, said


@pytest.fixture(scope="module")
def labels() -> list[Label]:
    return read_labels(ROOT / "data" / "argon.extxyz.xz")


@pytest.fixture(scope="module")
def study(labels, tmp_path_factory):
    """A finished study with what it said."""
    folder = tmp_path_factory.mktemp("study")
    write_pools(folder, labels)
    return *run(folder, folder / "out"), folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as handle:
        return list(csv.DictReader(handle))


def test_every_cell_is_scored_in_every_test_set(study):
    opened, said, _ = study
    cells = read_cells(opened)
    # 2 sets x 2 draws x (1 pair, which has no random start, + 2 bpnn) and one control
    assert len(cells) == 2 * 2 * 3 + 1
    assert any("12 networks see total energies and nothing local; 1 controls" in s for s in said)
    scores = rows(opened.folder("evaluate") / "scores.csv")
    assert {row["test_set"] for row in scores} == {"cold", "new"}
    of_networks = [row for row in scores if row["is_baseline"] == "False"]
    assert len(of_networks) == 2 * len(cells)
    assert {row["n_training"] for row in of_networks} == {"12", "18", "34"}  # 24 less a quarter
    assert {row["target"] for row in of_networks} == {"total", "local"}
    assert {row["architecture"] for row in scores if row["is_baseline"] == "True"} == {"baseline"}


def test_a_pool_of_both_kinds_is_split_and_others_are_used_whole(study):
    opened, _, _ = study
    split = split_of(opened)
    assert len(split["test_sets"]["cold"]) == 6
    assert len(split["training_sets"]["cold"]) == 18
    assert split["test_sets"]["new"] == list(range(40, 50))
    assert not set(split["train"]) & set(split["test"])
    assert set(split["training_sets"]["cold"]) < set(split["training_sets"]["both"])


def test_smaller_draws_are_contained_in_larger_ones_for_every_network(study):
    opened, _, _ = study
    drawn: dict[tuple[str, int], set] = {}
    for cell in read_cells(opened):
        found = load_model(checkpoint_path(opened.folder("train") / "models", cell)).metadata
        index = (*found["train_index"], *found["held_out_index"])
        drawn.setdefault((cell.training_set, cell.n_configurations), set()).add(
            tuple(sorted(index))
        )
    assert all(len(each) == 1 for each in drawn.values())  # the same for all seeds and forms
    for name in ("cold", "both"):
        (few,), (every,) = drawn[name, 12], drawn[name, 0]
        assert set(few) < set(every)


def test_records_for_the_report_know_training_set_target_and_home(study):
    opened, _, _ = study
    labels = read_labels(opened.folder("label") / "labels.extxyz")
    results = load_results(opened, labels)
    n_atoms = sum(labels[k].n_atoms for k in split_of(opened)["test"])
    assert all(len(model.local_energy) == n_atoms for model in results)
    by_name = {model.name: model for model in results}
    model = by_name["bpnn_60_both_n12_seed1"]
    assert (model.trained_on, model.n_training_configurations, model.seed) == ("both", 12, 1)
    assert model.home_systems == ("cold",)  # named as one of its pools; 'new' is transfer
    assert by_name["bpnn_60_cold_all_local_seed0"].target == "local"
    # what was read back is what was written, and the totals are those of the local energies
    (total,) = [score for score in model.totals if score.system == "cold"]
    chosen = split_of(opened)["test_sets"]["cold"]
    ends = np.cumsum([labels[k].n_atoms for k in split_of(opened)["test"]])[: len(chosen)]
    sums = np.add.reduceat(model.local_energy[: ends[-1]], np.r_[0, ends[:-1]])
    error = (sums - [labels[k].total_energy for k in chosen]) / 17
    assert total.rmse.value == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-4)
    assert total.rmse.low <= total.rmse.value <= total.rmse.high


def test_networks_trained_on_totals_never_read_a_basin_energy(study, labels, tmp_path):
    opened, _, _ = study
    rng = np.random.default_rng(0)
    write_pools(tmp_path, [shuffled(label, rng) for label in labels])
    other, _ = run(tmp_path, tmp_path / "out", SETTINGS, "label", "train")
    same = {}
    for cell in read_cells(opened):
        ours, theirs = (
            load_model(checkpoint_path(r.folder("train") / "models", cell)) for r in (opened, other)
        )
        frames = [labels[0].frame]
        found = [model.local_energies(frames)[0] for model in (ours, theirs)]
        same[cell] = np.array_equal(found[0], found[1])
    assert all(same[cell] for cell in same if cell.target == "total")
    # control of this test: the one network that is shown basin energies does change
    assert not any(same[cell] for cell in same if cell.target == "local")


FORCES = {
    **SETTINGS,
    "train": {
        **SETTINGS["train"],
        "training_sets": {"cold": ["cold"]},
        "architectures": ["pair", "bpnn"],
        "n_configurations": ["all"],
        "seeds": [0],
        "controls": ["totals_and_forces"],
        "n_steps": 300,
        "also": [],
    },
}


def lennard_jones(label: Label) -> Label:
    """The same configuration with total energy and forces of a pair potential."""
    cutoff = 5.0 * ANGSTROM
    curve = LennardJones(epsilon=10.32 * MILLIELECTRONVOLT, sigma=3.405 * ANGSTROM)
    potential = PairPotential({("Ar", "Ar"): curve}).switched(onset=0.8 * cutoff, cutoff=cutoff)
    total = float(pair_energies(label.frame, potential, cutoff).sum())
    shift = (total - label.total_energy) / label.n_atoms  # the terms sum to the new total too
    return replace(
        label,
        total_energy=total,
        terms=replace(label.terms, kinetic=label.terms.kinetic + shift),
        forces=pair_forces(label.frame, potential, cutoff),
    )


def test_a_control_learns_from_totals_and_forces(labels, tmp_path):
    known = [lennard_jones(label) for label in labels[:50]]
    write_pools(tmp_path, known)
    opened, said = run(tmp_path, tmp_path / "out", FORCES, "label", "train")
    assert any("2 networks see total energies" in s and "1 controls see forces" in s for s in said)
    assert any("pair has a closed form without forces: left out" in s for s in said)
    error = {}
    for cell in read_cells(opened):
        path = checkpoint_path(opened.folder("train") / "models", cell)
        frames = [known[k].frame.to_ase() for k in range(40, 44)]
        found = []
        for atoms in frames:
            atoms.calc = Calculator(path)
            found.append(atoms.get_forces() * (ELECTRONVOLT / ANGSTROM))
        expected = np.array([known[k].forces for k in range(40, 44)])
        error[cell.architecture, cell.target] = np.sqrt(np.mean((found - expected) ** 2))
    # 14 totals against 14 totals and 714 components of forces
    assert error["bpnn", "total+forces"] < 0.5 * error["bpnn", "total"]


def test_a_control_on_forces_is_refused_where_labels_hold_none(labels, tmp_path):
    write_pools(tmp_path, [lennard_jones(labels[0]), *(replace(x, forces=None) for x in labels)])
    with pytest.raises(ConfigError, match=r"'cold': 17 of 18 labels hold no forces; expected"):
        run(tmp_path, tmp_path / "out", FORCES, "label", "train")


def test_a_control_on_forces_needs_them_only_where_it_learns(labels, tmp_path):
    write_pools(tmp_path, [lennard_jones(label) for label in labels[:50]])
    fewer = {**FORCES, "train": {**FORCES["train"], "n_configurations": [10], "n_steps": 100}}
    opened, _ = run(tmp_path, tmp_path / "all", fewer, "label", "train")
    (cell,) = [c for c in read_cells(opened) if c.target == "total+forces"]
    model = load_model(checkpoint_path(opened.folder("train") / "models", cell))
    used = [*model.metadata["train_index"], *model.metadata["held_out_index"]]
    kept = {split_of(opened)["training_sets"]["cold"][k] for k in used}
    pool = read_labels(tmp_path / "cold.extxyz")
    lacking = [x if k in kept else replace(x, forces=None) for k, x in enumerate(pool)]
    write_labels(tmp_path / "cold.extxyz", lacking)
    _, said = run(tmp_path, tmp_path / "lacking", fewer, "label", "train")
    assert any("1 controls see forces" in line for line in said)
    more = {**fewer, "train": {**fewer["train"], "n_configurations": [11]}}
    with pytest.raises(ConfigError, match="1 of 11 labels hold no forces"):
        run(tmp_path, tmp_path / "more", more, "label", "train")


def test_a_larger_grid_keeps_the_networks_that_are_there(study):
    opened, _, folder = study
    models = opened.folder("train") / "models"
    before = {p: p.stat().st_mtime_ns for p in models.glob("*.safetensors")}
    larger = {**SETTINGS, "train": {**SETTINGS["train"], "seeds": [0, 1, 2]}}
    run(folder, opened.out, larger, "label", "train")
    after = {p: p.stat().st_mtime_ns for p in models.glob("*.safetensors")}
    assert {p: after[p] for p in before} == before
    assert len(after) == len(before) + 4  # one bpnn more for each set and draw
    assert {s.name: s.is_current for s in status(opened)}["evaluate"] is False


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"training_sets": {"x": ["nowhere"]}}, r"names the pool 'nowhere'; expected one of cold"),
        ({"also": [{"training_sets": ["none"]}]}, r"names the training set 'none'; expected"),
    ],
)
def test_sets_of_pools_that_do_not_exist_are_refused(tmp_path, change, expected):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({**SETTINGS, "train": {**SETTINGS["train"], **change}}))
    with pytest.raises(ConfigError, match=expected):
        load_config(path)


@pytest.mark.parametrize("change", [{"data": None}, {"sample": {"from_file": "x.xyz"}}])
def test_either_data_or_sampling_is_needed(tmp_path, change):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({**SETTINGS, **change}))
    with pytest.raises(ConfigError, match="`sample` and `data`; expected exactly one"):
        load_config(path)


def test_a_data_file_that_is_absent_is_named(labels, tmp_path):
    write_pools(tmp_path, labels)
    (tmp_path / "hot.extxyz").unlink()
    with pytest.raises(ArtifactError, match=r"pool 'hot', expected at .*hot\.extxyz.*data\.files"):
        run(tmp_path, tmp_path / "out", SETTINGS, "label")


def test_more_configurations_than_a_set_has_are_refused_before_training(labels, tmp_path):
    write_pools(tmp_path, labels)
    wanted = {**SETTINGS, "train": {**SETTINGS["train"], "n_configurations": [500]}}
    with pytest.raises(ConfigError, match="'cold': 500 configurations asked for of a set of 18"):
        run(tmp_path, tmp_path / "out", wanted, "label", "train")


def test_there_is_nothing_to_sample_on_data_that_exist(labels, tmp_path):
    write_pools(tmp_path, labels)
    with pytest.raises(ConfigError, match="nothing to sample"):
        run(tmp_path, tmp_path / "out", SETTINGS, "sample")


@pytest.mark.parametrize("name", ["emergence", "emergence_smoke"])
def test_the_examples_are_valid(name):
    load_config(ROOT / "examples" / f"{name}.yaml")
