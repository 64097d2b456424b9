"""Tasks on real processes and a real Dask cluster on loopback, with workers that die."""

import fcntl
import os
import signal
import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from zeroflux.errors import ZerofluxError
from zeroflux.execution import Workers, run_tasks


def square(number: int) -> int:
    return number * number


def die_once(task: tuple[Path, int]) -> int:
    """Kills its own process the first time that task 2 is tried."""
    marker, number = task
    if number == 2 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die(_: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def hold(lock: Path) -> None:
    """Holds a lock for as long as this process lives."""
    file = lock.open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    lock.with_suffix(".held").touch()
    time.sleep(600.0)


def run_holding(lock: Path) -> None:
    list(run_tasks(hold, [lock], Workers(kind="processes", n_workers=1)))


def wait_for(condition) -> bool:
    """Whether a condition comes true; the limit only ends a test that has failed."""
    for _ in range(600):
        if condition():
            return True
        time.sleep(0.1)
    return False


def is_free(lock: Path) -> bool:
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@pytest.mark.parametrize("kind", ["serial", "processes"])
def test_every_task_is_done_once(kind):
    workers = Workers(kind=kind, n_workers=2)
    assert sorted(run_tasks(square, range(5), workers)) == [0, 1, 4, 9, 16]
    assert list(run_tasks(square, [], workers)) == []


def test_a_worker_that_dies_costs_its_task_alone_and_is_told_of(tmp_path, caplog):
    tasks = [(tmp_path / "marker", n) for n in range(4)]
    workers = Workers(kind="processes", n_workers=1)
    results = list(run_tasks(die_once, tasks, workers))
    assert sorted(results) == [0, 1, 2, 3]
    assert (tmp_path / "marker").exists()
    assert "A worker process died with 2 tasks left" in caplog.text


def test_workers_that_always_die_end_the_run_with_a_clear_error():
    with pytest.raises(ZerofluxError, match=r"died 4 times with 1 tasks left"):
        list(run_tasks(die, [1], Workers(kind="processes", n_workers=1)))


def test_workers_end_with_a_run_that_is_killed(tmp_path):
    lock = tmp_path / "lock"
    run = get_context("spawn").Process(target=run_holding, args=(lock,))
    run.start()
    assert wait_for(lock.with_suffix(".held").exists)
    assert not is_free(lock)  # the control: the worker lives
    run.kill()
    run.join()
    assert wait_for(lambda: is_free(lock))


def test_workers_have_the_threads_they_were_given(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    workers = Workers(kind="processes", n_workers=1, threads_per_worker=2)
    assert list(run_tasks(os.getenv, ["OMP_NUM_THREADS"], workers)) == ["2"]
    assert os.environ["OMP_NUM_THREADS"] == "7"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_dask_cluster_survives_a_killed_worker(tmp_path):
    import cloudpickle

    marker = tmp_path / "marker"

    def fragile(number: int) -> int:
        if number == 2 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return number * number

    # Workers of the cluster do not know this file: the function travels by value.
    assert cloudpickle.loads(cloudpickle.dumps(fragile))(3) == 9
    results = list(run_tasks(fragile, range(5), Workers(kind="dask", n_workers=2)))
    assert sorted(results) == [0, 1, 4, 9, 16]
    assert marker.exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_workers_of_a_dask_cluster_that_always_die_end_the_run_with_a_clear_error():
    import dask

    def die(_: int) -> int:
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        pytest.raises(ZerofluxError, match=r"Worker processes died.*Memory may be short"),
    ):
        list(run_tasks(die, [1], Workers(kind="dask", n_workers=1)))
