"""Labels on a real Dask cluster, one of whose workers is killed in the middle."""

import os
import signal
import time

import numpy as np
import pytest

from zeroflux.artifacts.extxyz import read_labels
from zeroflux.execution import Workers
from zeroflux.frames import Frame
from zeroflux.labelling.pyscf import PyscfEngine
from zeroflux.labelling.run import label_structures
from zeroflux.units import ANGSTROM


def pair_in_a_box(distance: float) -> Frame:
    """Two argon atoms at a distance (Å) in a small periodic box."""
    length = 6.5 * ANGSTROM
    positions = np.array([[0.0, 0.0, 0.0], [distance * ANGSTROM, 0.0, 0.0]]) + 0.3 * length
    return Frame(np.array([18, 18]), positions, np.eye(3) * length)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_killed_worker_costs_one_label_which_is_made_again(tmp_path):
    from distributed import Client, LocalCluster

    # Coarse: what counts here is who writes what, not the numbers.
    engine = PyscfEngine(density_cutoff=30.0)
    frames = [pair_in_a_box(d) for d in (3.3, 3.5, 3.7)]
    killed = []
    cluster = LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
    )
    with cluster, Client(cluster) as client:

        def kill_one(n_done: int, n_total: int) -> None:
            """Kills a worker that is computing, as soon as the first label is there."""
            while n_done == 1 and not killed:
                busy = [address for address, tasks in client.processing().items() if tasks]
                if busy:
                    (pid,) = client.run(os.getpid, workers=busy[:1]).values()  # type: ignore[union-attr]
                    killed.append(pid)
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.01)

        paths = label_structures(
            [(frame, {"number": i}) for i, frame in enumerate(frames)],
            engine=engine,
            folder=tmp_path / "frames",
            method="weight",
            workers=Workers(kind="dask", scheduler_address=cluster.scheduler_address),
            on_progress=kill_one,
        )
    assert killed
    # Every label once, and nothing half written.
    assert sorted((tmp_path / "frames").glob("*.extxyz")) == sorted(paths)
    labels = [label for path in paths for label in read_labels(path)]
    assert [label.info["number"] for label in labels] == [0, 1, 2]
    alone = engine.energy_densities(frames[2]).total_energy
    dispersion = labels[2].terms.dispersion.sum()
    assert abs(alone + dispersion - labels[2].total_energy) < 1e-7
    assert abs(labels[0].total_energy - labels[2].total_energy) > 1e-4
