"""Independent tasks on this machine's cores or on a Dask cluster."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from typing import Any, Literal, TypeVar

from zeroflux.errors import ZerofluxError, missing_extra

Task = TypeVar("Task")
Result = TypeVar("Result")

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
MAX_RESTARTS = 3
"""Times that a broken pool of processes is started again."""


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

    A worker that dies costs its task alone: the task is done again.

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
            from distributed import as_completed as dask_as_completed

            futures = client.map(function, tasks, pure=False, retries=MAX_RESTARTS)
            for future in dask_as_completed(futures):
                yield future.result()


def _in_processes(
    function: Callable[[Task], Result], tasks: list[Task], workers: Workers
) -> Iterator[Result]:
    for _ in range(1 + MAX_RESTARTS):
        left = dict(enumerate(tasks))
        try:
            with process_pool(workers) as pool:
                futures = {pool.submit(function, task): i for i, task in left.items()}
                try:
                    for future in as_completed(futures):
                        result = future.result()
                        del left[futures[future]]
                        yield result
                except (KeyboardInterrupt, GeneratorExit):
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
            return
        except BrokenProcessPool:
            tasks = list(left.values())
    raise ZerofluxError(
        f"Worker processes died {1 + MAX_RESTARTS} times with {len(tasks)} tasks left; expected "
        "them to live. Memory may be short: use fewer workers or smaller boxes. What is finished "
        "is kept; start again to go on."
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


def _end_with_parent() -> None:
    """End this worker when its parent dies, even by SIGKILL: nobody would take its results."""
    parent = parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
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
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise missing_extra("distributed", "cluster") from error
    if workers.scheduler_address is not None:
        with Client(workers.scheduler_address) as client:
            yield client
        return
    with _threads(workers.threads_per_worker):
        if workers.queue is None:
            cluster = LocalCluster(
                n_workers=workers.n_workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address="127.0.0.1:0",
                host="127.0.0.1",
            )
        else:
            cluster = _queue_cluster(workers)
        with cluster, Client(cluster) as client:
            yield client


def _queue_cluster(workers: Workers) -> Any:
    try:
        import dask_jobqueue
    except ImportError as error:
        raise missing_extra("dask-jobqueue", "cluster") from error
    name = {"slurm": "SLURMCluster", "pbs": "PBSCluster"}[workers.queue or "slurm"]
    cluster = getattr(dask_jobqueue, name)(**workers.queue_options)
    cluster.scale(workers.n_workers)
    return cluster
