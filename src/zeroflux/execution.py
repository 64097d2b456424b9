"""Independent tasks on this machine's cores or on a Dask cluster."""

from __future__ import annotations

import functools
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.process import BaseProcess
from typing import Any, Literal, TypeVar

from zeroflux.errors import ZerofluxError, missing_extra
from zeroflux.interruption import (
    PATIENCE_S,
    descendants,
    end_processes,
    kill,
    note_ended,
    quieten,
    shielded_children,
)

logger = logging.getLogger(__name__)

Task = TypeVar("Task")
Result = TypeVar("Result")

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
MAX_RESTARTS = 3
"""Times that a broken pool of processes is started again."""
INTERRUPTIONS = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""What ends a run from outside; `GeneratorExit`: nobody wants more results."""


@dataclass(frozen=True)
class Workers:
    """Where tasks run."""

    kind: Literal["serial", "processes", "dask"] = "processes"
    n_workers: int = 1
    threads_per_worker: int = 1
    scheduler_address: str | None = None
    """Address of a running Dask scheduler; a local cluster is started if there is none."""
    queue: Literal["slurm", "pbs"] | None = None
    """Batch system on which `dask-jobqueue` starts the workers."""
    queue_options: dict[str, Any] = field(default_factory=dict)
    """Arguments of the batch system's cluster class (cores, memory, walltime, ...)."""


def run_tasks(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: Workers
) -> Iterator[Result]:
    """Results of ``function`` on each task, in the order in which they are done.

    A worker that dies costs its task alone: the task is done again. An interruption
    (`KeyboardInterrupt`, or nobody wanting more results) ends the tasks that run, and those that
    wait never start; only on a cluster that was there before, running tasks go on to their end.

    Raises
    ------
    ZerofluxError
        If workers die again and again.
    """
    if workers.kind == "serial" or not tasks:
        yield from map(function, tasks)
    elif workers.kind == "processes":
        yield from _in_processes(function, list(tasks), workers)
    else:
        with dask_client(workers) as client:
            from distributed import KilledWorker
            from distributed import as_completed as dask_as_completed

            futures = client.map(function, tasks, pure=False, retries=MAX_RESTARTS)
            try:
                for future in dask_as_completed(futures):
                    yield future.result()
            except KilledWorker as error:
                raise _worker_deaths(f"a task ({error})") from error
            except INTERRUPTIONS:
                client.cancel(futures, force=True)
                raise


def _in_processes(
    function: Callable[[Task], Result], tasks: list[Task], workers: Workers
) -> Iterator[Result]:
    run = functools.partial(_run, function)
    before = set(active_children())
    for _ in range(1 + MAX_RESTARTS):
        left = dict(enumerate(tasks))
        started: set[BaseProcess] = set()
        try:
            with process_pool(workers) as pool:
                try:
                    with shielded_children():
                        futures = {pool.submit(run, task): i for i, task in left.items()}
                    started = set(active_children()) - before
                    for future in as_completed(futures):
                        result = future.result()
                        del left[futures[future]]
                        yield result
                except INTERRUPTIONS:
                    end_processes(set(active_children()) - before)
                    raise
            return
        except BrokenProcessPool:
            note_ended(started)
            tasks = list(left.values())
            logger.warning(
                "A worker process died with %d tasks left (the system may be short of memory); "
                "they are given to new ones.",
                len(tasks),
            )
    raise _worker_deaths(f"{len(tasks)} tasks left")


def _worker_deaths(left: str) -> ZerofluxError:
    return ZerofluxError(
        f"Worker processes died {1 + MAX_RESTARTS} times with {left}; expected them to live. "
        "Memory may be short: use fewer workers or smaller boxes. What is finished is kept; start "
        "again to go on."
    )


@contextmanager
def process_pool(workers: Workers) -> Iterator[Executor]:
    """Pool of fresh processes that use ``threads_per_worker`` threads each."""
    with _threads(workers.threads_per_worker):
        pool = ProcessPoolExecutor(
            workers.n_workers, mp_context=get_context("spawn"), initializer=_end_with_parent
        )
        with pool:
            yield pool


class _Stopped(BaseException):
    """This worker was told to end, with these programs that it had started."""


def _stop(*_: Any) -> None:
    raise _Stopped(descendants(os.getpid()))


def _run(function: Callable[[Task], Result], task: Task) -> Result:
    """Do a task in a worker; SIGTERM ends the worker, but not before it has cleaned up."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        return function(task)
    except _Stopped as stopped:
        kill(*stopped.args)
        os._exit(1)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end_with_parent() -> None:
    """End this worker when its parent dies, even by SIGKILL: nobody would take its results."""
    parent = parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            quieten()
            os.kill(os.getpid(), signal.SIGTERM)  # the orderly way, if this is not compiled code
            time.sleep(PATIENCE_S)
            kill(descendants(os.getpid()))
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextmanager
def _threads(n_threads: int) -> Iterator[None]:
    """Environment in which new processes start with this many threads."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(n_threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def dask_client(workers: Workers) -> Iterator[Any]:
    """Client of the cluster that the settings describe; a cluster started here ends with it."""
    try:
        from distributed import Client
    except ImportError as error:
        raise missing_extra("distributed", "cluster") from error
    if workers.scheduler_address is not None:
        with Client(workers.scheduler_address) as client:
            yield client
        return
    before = set(active_children())
    with _threads(workers.threads_per_worker):
        try:
            with shielded_children():
                make = _local_cluster if workers.queue is None else _queue_cluster
                cluster = make(workers)
        except INTERRUPTIONS:
            end_processes(set(active_children()) - before)
            raise
        with cluster, Client(cluster) as client:
            try:
                yield client
            except INTERRUPTIONS:
                for nanny in cluster.workers.values():
                    if hasattr(nanny, "close_gracefully"):
                        nanny.close_gracefully()  # else it would start its worker again
                end_processes(set(active_children()) - before)
                raise


def _local_cluster(workers: Workers) -> Any:
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=workers.n_workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",
        host="127.0.0.1",
    )


def _queue_cluster(workers: Workers) -> Any:
    try:
        import dask_jobqueue
    except ImportError as error:
        raise missing_extra("dask-jobqueue", "cluster") from error
    name = {"slurm": "SLURMCluster", "pbs": "PBSCluster"}[workers.queue or "slurm"]
    cluster = getattr(dask_jobqueue, name)(**workers.queue_options)
    cluster.scale(workers.n_workers)
    return cluster


def n_usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
