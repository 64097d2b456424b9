"""The stages in their order."""

from __future__ import annotations

from zeroflux.stages.correlate import CORRELATE
from zeroflux.stages.evaluate import EVALUATE
from zeroflux.stages.label import LABEL
from zeroflux.stages.machinery import Run, Stage, StageState, run_stage, state
from zeroflux.stages.report import REPORT
from zeroflux.stages.sample import SAMPLE
from zeroflux.stages.train import TRAIN

STAGES: dict[str, Stage] = {
    stage.name: stage for stage in (SAMPLE, LABEL, CORRELATE, TRAIN, EVALUATE, REPORT)
}


def run_stages(run: Run, *names: str) -> None:
    """Do the stages named, or all; those that are current are skipped."""
    for name in names or stages_of(run):
        run_stage(STAGES[name], run)


def stages_of(run: Run) -> list[str]:
    """Stages that a configuration has settings for: without networks, the first three."""
    names = list(STAGES)
    return names if run.config.train is not None else names[: names.index(TRAIN.name)]


def status(run: Run) -> list[StageState]:
    """What is done and what is not."""
    return [state(STAGES[name], run) for name in stages_of(run)]
