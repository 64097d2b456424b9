"""Signals to real processes: what runs is ended, what waits never starts, nothing is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zeroflux.execution import Workers, run_tasks
from zeroflux.interruption import MESSAGE, descendants, remove_parts, working_folder

# A command around `run_tasks`; each task marks its start, and its end if it comes to that.
COMMAND = """
import sys, time
from pathlib import Path
from zeroflux.execution import Workers, run_tasks
from zeroflux.interruption import interruptible, working_folder

def task(job):
    import os, subprocess, sys, time
    folder, number, how = job
    (folder / f"{number}.started").touch()
    if how != "quick" and number > 0:
        (folder / f".{number}.{os.getpid()}.part").touch()
        if how == "python":
            time.sleep(60)
        elif how == "compiled":  # minutes without a return to Python, whatever the signal
            import hashlib
            hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)
        elif how == "program":
            subprocess.run(["sh", "-c", "sleep 60 & wait"])  # as mpirun: does not tell its own
        elif how == "until told":
            while not (folder / "go").exists():
                time.sleep(0.02)
    (folder / f"{number}.finished").touch()
    return number

if __name__ == "__main__":
    folder, kind, how, address = Path(sys.argv[1]), *sys.argv[2:]
    workers = Workers(kind=kind, n_workers=2, scheduler_address=address or None)
    with interruptible(), working_folder(folder):
        for number in run_tasks(task, [(folder, k, how) for k in range(8)], workers):
            print(number, flush=True)
"""


def wait_for(condition) -> None:
    """Wait until a condition holds; the limit only ends a test that has failed."""
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.02)


def names(folder: Path, pattern: str) -> set[str]:
    return {path.stem for path in folder.glob(pattern)}


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def start(folder: Path, kind: str, how: str, address: str = "") -> subprocess.Popen:
    script = folder / "command.py"
    script.write_text(COMMAND)
    return subprocess.Popen(
        [sys.executable, str(script), str(folder), kind, how, address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def interrupt(process: subprocess.Popen, number: int, to: str, n_times: int = 1) -> list[int]:
    """Send signals; the processes that there were before."""
    family = descendants(process.pid)
    for _ in range(n_times):
        os.killpg(process.pid, number) if to == "group" else os.kill(process.pid, number)
        time.sleep(0.05)
    return family


def check(process: subprocess.Popen, folder: Path, family: list[int], n_running: int) -> None:
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, f"{MESSAGE}\n")
    wait_for(lambda: not any(map(is_alive, family)))
    assert names(folder, "*.finished") == {"0"}  # what is finished is kept
    assert len(names(folder, "*.started")) == 1 + n_running  # what waited never started
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize(
    ("kind", "how", "number", "to", "n_times"),
    [
        ("serial", "python", signal.SIGINT, "group", 1),
        ("serial", "compiled", signal.SIGINT, "parent", 3),
        ("serial", "program", signal.SIGTERM, "parent", 1),
        ("processes", "python", signal.SIGINT, "group", 3),
        ("processes", "program", signal.SIGINT, "parent", 1),
        ("processes", "compiled", signal.SIGTERM, "parent", 1),
        ("processes", "compiled", signal.SIGTERM, "group", 1),
        ("dask", "python", signal.SIGINT, "group", 3),
        ("dask", "program", signal.SIGTERM, "parent", 1),
    ],
)
def test_a_signal_ends_what_runs_and_keeps_what_is_finished(
    tmp_path, kind, how, number, to, n_times
):
    n_running = 1 if kind == "serial" else 2
    process = start(tmp_path, kind, how)
    wait_for(lambda: len(names(tmp_path, "*.started")) == 1 + n_running)
    assert process.stdout is not None
    assert process.stdout.readline() == "0\n"
    if how == "program":
        wait_for(lambda: list(map(program, descendants(process.pid))).count("sleep") == n_running)
    family = interrupt(process, number, to, n_times)
    assert len(family) >= (0 if kind == "serial" else 2)
    check(process, tmp_path, family, n_running)


def test_programs_that_workers_started_end_with_a_command_that_is_killed(tmp_path):
    process = start(tmp_path, "processes", "program")
    wait_for(lambda: "sleep" in map(program, descendants(process.pid)))
    family = interrupt(process, signal.SIGKILL, "parent")
    wait_for(lambda: not any(map(is_alive, family)))
    process.communicate()


def leave_a_part_and_die_once(folder: Path) -> bool:
    part = folder / f".label.{os.getpid()}.part"
    if not list(folder.glob(".*.part")):
        part.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return True


def test_files_begun_by_a_worker_that_died_are_removed(tmp_path):
    with working_folder(tmp_path):
        workers = Workers(kind="processes", n_workers=1)
        assert list(run_tasks(leave_a_part_and_die_once, [tmp_path], workers)) == [True]
        assert len(list(tmp_path.iterdir())) == 1  # the control: there is one
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_cluster_of_others_stays_and_only_our_waiting_tasks_go(tmp_path):
    from distributed import Client, LocalCluster

    options = {"dashboard_address": "127.0.0.1:0", "protocol": "tcp://", "processes": False}
    with LocalCluster(n_workers=1, threads_per_worker=1, **options) as cluster:
        process = start(tmp_path, "dask", "until told", cluster.scheduler_address)
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        wait_for(lambda: len(names(tmp_path, "*.started")) == 2)
        interrupt(process, signal.SIGINT, "group")
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (130, f"{MESSAGE}\n")
        with Client(cluster) as client:
            (tmp_path / "go").touch()
            assert client.submit(abs, -3).result() == 3  # the control: it works for others
        assert names(tmp_path, "*.finished") == names(tmp_path, "*.started")
        assert len(names(tmp_path, "*.started")) == 2


@pytest.mark.parametrize("kind", ["serial", "processes"])
def test_without_a_signal_every_task_is_finished(tmp_path, kind):
    out, err = start(tmp_path, kind, "quick").communicate()
    assert (sorted(out.split()), err) == ([str(k) for k in range(8)], "")
    assert len(names(tmp_path, "*.finished")) == 8


def test_only_files_of_this_process_are_taken_for_its_parts(tmp_path):
    mine, other = os.getpid(), os.getppid()
    kept = {"a.part", f".a.{other}.part", f".{other}-b.cube", ".lock", f".a.{mine}.txt"}
    parts = {f".a.extxyz.{mine}.part", f".m.safetensors.{mine}.tmp", f".{mine}-b.cube"}
    for name in kept | parts:
        (tmp_path / name).touch()
    remove_parts(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_a_failure_leaves_no_part_of_a_file(tmp_path):
    (tmp_path / "deeper").mkdir()
    part = tmp_path / "deeper" / f".a.{os.getpid()}.part"

    def fail() -> None:
        with working_folder(tmp_path):
            part.touch()
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert not part.exists()
