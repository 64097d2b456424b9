"""`zeroflux run` on a very small real job: end to end, killed at every stage, with bad input."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.io import iread, read, write

from zeroflux.artifacts.extxyz import read_labels, write_labels
from zeroflux.cli import main
from zeroflux.frames import Frame
from zeroflux.run_directory import export_labels, open_run
from zeroflux.sampling import crystal
from zeroflux.stages import STAGES, status
from zeroflux.units import ANGSTROM

SETTINGS = {
    "title": "Four krypton atoms",
    "sample": {"from_file": "boxes.extxyz"},
    # Krypton is smooth: 30 Ha is coarse but sound, and takes a second.
    "label": {"density_cutoff_hartree": 30, "workers": {"kind": "serial"}},
    "correlate": {"predictors": ["es", "t+xc"], "n_bootstrap": 20},
    "train": {"seeds": [0, 1], "sizes": [50, 300], "cutoff_angstrom": 6.0, "n_steps": 150},
    "evaluate": {"n_bootstrap": 20},
    "report": {"figures": False},
}
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-c", "from zeroflux.cli import main; main()", *map(str, words)]


def run(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(*words), cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def job(tmp_path_factory) -> Path:
    """Folder with a configuration and ten small boxes."""
    folder = tmp_path_factory.mktemp("job")
    perfect = crystal("Kr", "fcc", nearest_distance=4.1 * ANGSTROM, repeat=(1, 1, 1))
    rng = np.random.default_rng(0)
    boxes = []
    for scale in np.linspace(0.97, 1.05, 10):
        positions = scale * perfect.positions + rng.normal(scale=0.35, size=(4, 3))
        boxes.append(Frame(perfect.atomic_numbers, positions, scale * perfect.cell).to_ase())
        boxes[-1].info["system"] = "krypton"
    write(folder / "boxes.extxyz", boxes)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(SETTINGS))
    return folder


@pytest.fixture(scope="module")
def finished(job) -> Path:
    """Run directory of an uninterrupted run."""
    done = run("run", "tiny.yaml", "--out", "whole", cwd=job)
    assert done.returncode == 0, done.stderr
    assert "report: whole/report.html" in done.stdout
    return job / "whole"


def labels_of(folder: Path) -> np.ndarray:
    images = read(folder / "label" / "labels.extxyz", index=":")
    return np.concatenate([atoms.arrays["basin_energy"] for atoms in images])


def scores_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "evaluate" / "scores.csv").open() as handle:
        return list(csv.DictReader(handle))


def test_a_run_leaves_every_artifact_with_its_manifest(finished):
    for stage in STAGES:
        manifest = json.loads((finished / stage / "manifest.json").read_text())
        assert manifest["stage"] == stage
        assert manifest["schema_version"] == 1
        assert manifest["versions"]["zeroflux"]
        for name in manifest["outputs"]:
            assert (finished / stage / name).exists()
    assert json.loads((finished / "label" / "manifest.json").read_text())["inputs"]
    page = (finished / "report.html").read_text(encoding="utf-8")
    assert "Four krypton atoms" in page
    assert {row["n_parameters"] for row in scores_of(finished)} >= {"0"}
    assert len({row["model"] for row in scores_of(finished)}) == 4 + 3  # networks and baselines


def test_labels_are_read_by_ase_as_they_are(finished):
    for atoms in iread(finished / "label" / "labels.extxyz"):
        assert isinstance(atoms, Atoms)
        energy = atoms.get_potential_energy()
        assert abs(atoms.arrays["basin_energy"].sum() - energy) / len(atoms) < 1e-6
        assert abs(atoms.info["closure_ev"]) / len(atoms) < 0.02e-3
        assert atoms.info["isolated_energy_Kr_ev"] < 0
        assert abs(atoms.arrays["basin_population"].sum() - 32) < 1e-4


def test_a_second_run_skips_every_stage_and_says_so(job, finished):
    before = {p: p.stat().st_mtime_ns for p in finished.rglob("*") if p.name != ".lock"}
    again = run("run", "tiny.yaml", "--out", "whole", cwd=job)
    assert again.returncode == 0
    assert again.stdout.count("already done, skipped") == len(STAGES)
    files = {p: t for p, t in before.items() if p.is_file()}
    assert {p: p.stat().st_mtime_ns for p in files} == files
    assert all(found.is_current for found in status(open_run(finished)))


def test_a_changed_setting_redoes_only_what_depends_on_it(job, finished):
    changed = {**SETTINGS, "evaluate": {"n_bootstrap": 21}}
    (job / "changed.yaml").write_text(yaml.safe_dump(changed))
    subprocess.run(["cp", "-r", "whole", "copy"], cwd=job, check=True)
    asked = run("run", "changed.yaml", "--out", "copy", cwd=job)
    assert asked.returncode == 2
    assert "differs in evaluate.n_bootstrap (20 → 21); expected the same" in asked.stderr
    done = run("run", "changed.yaml", "--out", "copy", "--force", cwd=job)
    assert done.returncode == 0, done.stderr
    skipped = [line.split(":")[0] for line in done.stdout.splitlines() if "skipped" in line]
    assert skipped == ["sample", "label", "correlate", "train"]


def test_killed_at_each_stage_it_finishes_with_the_same_results(job, finished):
    """SIGKILL of the whole process group as soon as a stage has left something behind."""
    out = job / "killed"
    kept: dict[Path, int] = {}
    for pattern in (
        "sample/*.extxyz",
        "label/frames/*.extxyz",
        "train/models/*.safetensors",
        "evaluate/*.npz",
        "report.html",
    ):
        process = subprocess.Popen(
            command("run", "tiny.yaml", "--out", "killed"),
            cwd=job,
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 600
        while not list(out.glob(pattern)) and process.poll() is None:
            assert time.monotonic() < deadline, f"nothing matched {pattern}"
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kept.update(
            {p: p.stat().st_mtime_ns for p in out.glob("label/frames/*.extxyz") if p not in kept}
        )
    assert 0 < len(kept) <= 10
    done = run("run", "tiny.yaml", "--out", "killed", cwd=job)
    assert done.returncode == 0, done.stderr
    assert {p: p.stat().st_mtime_ns for p in kept} == kept  # no finished label was redone
    np.testing.assert_allclose(labels_of(out), labels_of(finished), atol=1e-8)
    for mine, theirs in zip(scores_of(out), scores_of(finished), strict=True):
        assert mine["model"] == theirs["model"]
        for column in ("local_rmse_mev", "total_rmse_mev_per_atom", "slope"):
            assert float(mine[column]) == pytest.approx(float(theirs[column]), rel=1e-4)


@pytest.mark.parametrize("sleep", ["time.sleep(60)", "exec('time.sleep(60)')"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_any_command_is_one_line_and_status_130(tmp_path, number, sleep):
    waiting = f"def wait(): print('ready', flush=True); {sleep}"
    (tmp_path / "waiting.py").write_text(
        f"import time\nfrom zeroflux import cli\n{waiting}\ncli.app.command()(wait)\ncli.main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "waiting", "wait"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert err == "interrupted; what is finished is kept, run again to go on\n"
    assert process.returncode == 130


@pytest.mark.slow
def test_an_interrupted_run_says_so_and_starts_no_further_label(job):
    workers = {"kind": "processes", "n_workers": 1}
    label = {**SETTINGS["label"], "workers": workers}
    (job / "pool.yaml").write_text(yaml.safe_dump({**SETTINGS, "label": label}))
    out = job / "interrupted"
    process = subprocess.Popen(
        command("run", "pool.yaml", "--out", out),
        cwd=job,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list(out.glob("label/frames/*.extxyz")) and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    lines = [line for line in err.splitlines() if not line.startswith("  label: ")]
    assert lines == ["interrupted; what is finished is kept, run again to go on"]
    assert process.returncode == 130
    assert len(list(out.glob("label/frames/*.extxyz"))) < 10
    assert {path.name for path in out.rglob(".*")} == {".lock"}


def test_structures_are_labelled_outside_a_run(job):
    done = run("label", "tiny.yaml", "--structures", "boxes.extxyz", "--out", "own.extxyz", cwd=job)
    assert done.returncode == 0, done.stderr
    assert "own.extxyz: 10 labels" in done.stdout


def test_finished_labels_are_exported_compressed_and_reused_elsewhere(
    job, finished, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(sys, "argv", ["zeroflux", "export", str(finished), f"{job}/out.extxyz.xz"])
    with pytest.raises(SystemExit):
        main()
    assert "10 labels" in capsys.readouterr().out
    reused = {**SETTINGS, "label": {**SETTINGS["label"], "reuse": ["out.extxyz.xz"]}}
    (job / "reuse.yaml").write_text(yaml.safe_dump(reused))
    code, message = call(monkeypatch, capsys, "sample", job / "reuse.yaml", "--out", tmp_path / "r")
    assert code == 0, message
    monkeypatch.setattr(
        "zeroflux.labelling.run.run_tasks", lambda *_: pytest.fail("a label was computed again")
    )
    code, message = call(monkeypatch, capsys, "label", job / "reuse.yaml", "--out", tmp_path / "r")
    assert code == 0, message
    np.testing.assert_array_equal(labels_of(tmp_path / "r"), labels_of(finished))


def test_an_export_can_keep_what_a_file_holds_of_other_configurations(finished, tmp_path):
    whole, file = tmp_path / "whole.extxyz", tmp_path / "file.extxyz"
    assert export_labels(finished, whole) == 10
    known = read_labels(whole)
    moved = replace(known[0].frame, positions=known[0].frame.positions + 1e-3)
    older = [replace(label, total_energy=0.0, other_energies={}) for label in known[4:2:-1]]
    write_labels(file, [*older, replace(known[0], frame=moved)])
    assert export_labels(finished, file, update=True) == 11
    renewed = read_labels(file)
    # What the run has takes the place of what the file had, in the order of the run.
    assert [x.total_energy for x in renewed[:10]] == [x.total_energy for x in known]
    np.testing.assert_allclose(renewed[10].frame.positions, moved.positions, atol=1e-6)


def test_a_run_in_use_is_refused(job, finished, monkeypatch, capsys):
    from zeroflux.stages.machinery import lock

    with lock(finished):
        code, message = call(monkeypatch, capsys, "report", job / "tiny.yaml", "--out", finished)
    assert code == 2
    assert "in use by another zeroflux process" in message


def call(monkeypatch, capsys, *words) -> tuple[int, str]:
    """Exit status and stderr of a command run in this process."""
    monkeypatch.setattr(sys, "argv", ["zeroflux", *map(str, words)])
    with pytest.raises(SystemExit) as exit_info:
        main()
    return int(exit_info.value.code or 0), capsys.readouterr().err


def with_change(job: Path, section: str, **values) -> Path:
    path = job / "bad.yaml"
    path.write_text(yaml.safe_dump({**SETTINGS, section: {**SETTINGS[section], **values}}))
    return path


@pytest.mark.parametrize(
    ("section", "values", "expected"),
    [
        ("train", {"sizez": [3]}, r"unknown key `train.sizez`; did you mean `sizes`?"),
        ("train", {"cutoff_angstrom": -1}, "`train.cutoff_angstrom`: found -1"),
        ("label", {"density_cutoff_hartree": 0}, "greater than 0"),
        ("sample", {"from_file": "nowhere.xyz"}, "nowhere.xyz"),
        ("correlate", {"predictors": ["magic"]}, "magic"),
    ],
)
def test_bad_settings_are_one_clear_message_and_status_2(
    job, tmp_path, monkeypatch, capsys, section, values, expected
):
    path = with_change(job, section, **values)
    code, message = call(monkeypatch, capsys, "run", path, "--out", tmp_path / "bad")
    assert code == 2
    assert message.startswith("error: ")
    assert expected in message
    assert "Traceback" not in message


def test_an_unknown_element_names_it(job, tmp_path, monkeypatch, capsys):
    settings = yaml.safe_load(
        "{seed: 1, systems: [{name: x, state_points: [{composition: {Xx: 4}, "
        "temperature_kelvin: 90, density_per_angstrom3: 0.02, n_configurations: 1}]}]}"
    )
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump({**SETTINGS, "sample": settings}))
    code, message = call(monkeypatch, capsys, "validate", path)
    assert code == 2
    assert "'Xx'" in message
    assert "expected Ar or Kr" in message


def test_overlapping_atoms_name_the_two_and_their_distance(job, tmp_path, monkeypatch, capsys):
    atoms = read(job / "boxes.extxyz", index=0)
    atoms.positions[1] = atoms.positions[0] + 0.1
    write(tmp_path / "boxes.extxyz", atoms)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(SETTINGS))
    code, message = call(
        monkeypatch, capsys, "run", tmp_path / "tiny.yaml", "--out", tmp_path / "bad"
    )
    assert code == 2
    assert "0.17" in message
    assert "Traceback" not in message


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"- a\n- list\n", b"sample: [unclosed\n", b""]
)
def test_an_unreadable_config_names_the_file(tmp_path, monkeypatch, capsys, content):
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)
    code, message = call(monkeypatch, capsys, "validate", path)
    assert code == 2
    assert str(path) in message


def test_a_stage_without_its_input_says_what_to_run(job, tmp_path, monkeypatch, capsys):
    code, message = call(
        monkeypatch, capsys, "train", job / "tiny.yaml", "--out", tmp_path / "empty"
    )
    assert code == 2
    assert "Run the earlier stages first" in message


@pytest.mark.parametrize(
    ("package", "stage", "extra"),
    [("pyscf", "label", "dft"), ("dftd3", "label", "dft"), ("jax", "train", "learn")],
)
def test_a_missing_extra_is_named_with_its_install_command(
    job, tmp_path, monkeypatch, capsys, package, stage, extra
):
    """In a fresh process, since imported modules would hide the absence."""
    out = tmp_path / "run"
    before = list(STAGES)[: list(STAGES).index(stage)]
    if stage == "train":
        subprocess.run(["cp", "-r", job / "whole", out], check=True)
        (out / "train" / "manifest.json").unlink()
    else:
        for name in before:
            call(monkeypatch, capsys, name, job / "tiny.yaml", "--out", out)
    script = f"import sys; sys.modules[{package!r}] = None; from zeroflux.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, stage, job / "tiny.yaml", "--out", out],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert f"pip install 'zeroflux[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_schema_and_template_need_no_heavy_package():
    script = (
        "import sys; from zeroflux.cli import app; from typer.main import get_command; "
        "get_command(app); "
        "print([m for m in ('numpy', 'jax', 'pyscf', 'numba', 'matplotlib', 'ase') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_template_is_valid_and_names_every_key(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["zeroflux", "template"])
    with pytest.raises(SystemExit):
        main()
    text = capsys.readouterr().out
    (tmp_path / "t.yaml").write_text(text)
    from zeroflux.config import Config
    from zeroflux.config_file import load_config

    load_config(tmp_path / "t.yaml")
    keys = set(Config.model_json_schema()["$defs"]["LabelConfig"]["properties"])
    assert all(f"{key}:" in text for key in keys)
