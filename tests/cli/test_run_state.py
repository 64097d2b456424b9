"""A run never shows old results as current, and nothing finished is lost."""

import errno
import logging
import os
from pathlib import Path

import pytest
import yaml

from zeroflux.artifacts.atomic import replace_text, replacing
from zeroflux.errors import ArtifactError, ConfigError
from zeroflux.run_directory import new_run, open_run
from zeroflux.stages import machinery, order, run_stages, status
from zeroflux.stages.machinery import Run, Stage, lock

SETTINGS = {
    "sample": {"from_file": "boxes.extxyz"},
    "label": {"density_cutoff_hartree": 30.0},
    "correlate": {"n_folds": 3},
}


def stage(name: str, upstream: str | None, settings) -> Stage:
    """A stage that copies what it was made from: its setting and its input."""

    def work(run: Run, folder: Path) -> list[Path]:
        before = "" if upstream is None else (run.folder(upstream) / "out").read_text()
        return [replace_text(folder / "out", f"{before} {name}={settings(run.config)}")]

    return Stage(
        name=name,
        help="Copy",
        settings=lambda config: {"value": settings(config)},
        inputs=lambda run: {} if upstream is None else {"text": run.folder(upstream) / "out"},
        work=work,
    )


@pytest.fixture(autouse=True)
def chain(monkeypatch):
    """Three stages of text in place of the real ones: the machinery is what is tested."""
    stages = {
        "sample": stage("sample", None, lambda c: str(c.sample.from_file.name)),
        "label": stage("label", "sample", lambda c: c.label.density_cutoff_hartree),
        "correlate": stage("correlate", "label", lambda c: c.correlate.n_folds),
    }
    monkeypatch.setattr(order, "STAGES", stages)
    monkeypatch.setattr(order, "stages_of", lambda config: stages)


def opened(folder: Path, *, is_forced: bool = False, **label) -> Run:
    settings = {**SETTINGS, "label": {**SETTINGS["label"], **label}}
    config = folder / "config_given.yaml"
    (folder / "boxes.extxyz").touch()
    config.write_text(yaml.safe_dump(settings))
    silent = lambda *_: None  # noqa: E731
    return new_run(config, folder / "run", say=silent, progress=silent, is_forced=is_forced)


def current(run: Run) -> dict[str, bool]:
    return {found.name: found.is_current for found in status(run)}


@pytest.fixture
def done(tmp_path) -> Path:
    run_stages(opened(tmp_path))
    return tmp_path


def test_a_changed_setting_makes_all_later_stages_stale(done):
    assert all(current(opened(done)).values())
    changed = opened(done, density_cutoff_hartree=40.0)
    assert current(changed) == {"sample": True, "label": False, "correlate": False}
    (remark,) = [s.remark for s in status(changed) if s.name == "correlate"]
    assert "waits for label" in remark


def test_one_stage_on_stale_inputs_says_what_brings_them_up_to_date(done):
    changed = opened(done, is_forced=True, density_cutoff_hartree=40.0)
    with pytest.raises(ArtifactError, match=r"needs label.*density_cutoff|needs label.*settings"):
        run_stages(changed, "correlate")
    run_stages(changed, "correlate", with_upstream=True)
    assert (done / "run" / "correlate" / "out").read_text().split()[1] == "label=40.0"
    assert all(current(changed).values())


def test_control_one_stage_on_current_inputs_is_done_or_skipped(done):
    run_stages(opened(done), "correlate")
    (done / "run" / "correlate" / "manifest.json").unlink()
    run_stages(opened(done), "correlate")
    assert all(current(opened(done)).values())


def test_a_directory_of_another_configuration_is_not_taken_over(done):
    before = {p: p.read_bytes() for p in (done / "run").rglob("*") if p.is_file()}
    with pytest.raises(ConfigError, match=r"label.density_cutoff_hartree \(30.0 → 40.0\).*--force"):
        run_stages(opened(done, density_cutoff_hartree=40.0))
    assert before == {p: p.read_bytes() for p in (done / "run").rglob("*") if p.is_file()}
    run_stages(opened(done, is_forced=True, density_cutoff_hartree=40.0))
    assert open_run(done / "run").config.label.density_cutoff_hartree == 40.0


def test_control_settings_without_an_effect_on_results_need_no_force(done):
    run_stages(opened(done, workers={"kind": "serial"}))
    assert open_run(done / "run").config.label.workers.kind == "serial"


def test_nothing_changes_in_a_directory_that_another_process_holds(done):
    before = (done / "run" / "config.yaml").read_text()
    with lock(done / "run"), pytest.raises(ArtifactError, match="in use by another"):
        run_stages(opened(done, is_forced=True, density_cutoff_hartree=40.0))
    assert (done / "run" / "config.yaml").read_text() == before


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_said_and_worked_on(tmp_path, monkeypatch, caplog, number):
    import fcntl

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with caplog.at_level(logging.WARNING, logger=machinery.__name__):
        run_stages(opened(tmp_path))
    assert "no locks" in caplog.text
    assert all(current(opened(tmp_path)).values())


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"stage": 1}', "\x00", '{"a": ' * 9])
def test_a_manifest_of_the_wrong_form_is_named(done, content):
    path = done / "run" / "label" / "manifest.json"
    path.write_text(content)
    with pytest.raises(ArtifactError, match=str(path)):
        run_stages(opened(done))


def test_a_changed_artifact_is_made_again_and_all_that_came_from_it_is_checked(done):
    (done / "run" / "label" / "out").write_text("")
    assert current(opened(done)) == {"sample": True, "label": False, "correlate": False}
    run_stages(opened(done))
    assert all(current(opened(done)).values())


def test_a_directory_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(ConfigError, match=r"run is a file; expected a directory"):
        run_stages(opened(tmp_path))
    (tmp_path / "run").unlink()

    def full(self, *_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    run = Run(open_config(tmp_path), tmp_path / "run", say=lambda *_: None, config_text="{}")
    with pytest.raises(ArtifactError, match=r"config.yaml: .*No space left.*Make room"):
        run_stages(run)
    assert not list((tmp_path / "run").glob(".*.part"))


def open_config(folder: Path):
    from zeroflux.config_file import load_config

    (folder / "boxes.extxyz").touch()
    config = folder / "some.yaml"
    with config.open("w") as handle:
        yaml.safe_dump(SETTINGS, handle)
    return load_config(config)


def test_a_directory_whose_lock_cannot_be_opened_is_one_line(tmp_path):
    (tmp_path / "run" / ".lock").mkdir(parents=True)  # a read-only one would not stop root
    with pytest.raises(ArtifactError, match=r"\.lock: cannot be used \(Is a directory\)"):
        run_stages(opened(tmp_path))


def test_a_write_that_fails_leaves_the_old_file_and_no_part(tmp_path):
    target = replace_text(tmp_path / "kept", "old")

    def write() -> None:
        with replacing(target) as part:
            part.write_text("half")
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    with pytest.raises(ArtifactError, match="kept"):
        write()
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]
