"""One made-up run for all tests of the page."""

import pytest
from synthetic_run import synthetic_run

from zeroflux.report import ReportData, write_report


@pytest.fixture(scope="session")
def run() -> ReportData:
    """Data of a synthetic run."""
    return synthetic_run(n_labels=9)


@pytest.fixture(scope="session")
def written(run, tmp_path_factory):
    """Path of its report, with figures and tables beside it."""
    return write_report(run, tmp_path_factory.mktemp("run") / "report.html")
