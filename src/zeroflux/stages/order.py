"""The stages in their order."""

from __future__ import annotations

from zeroflux.config import Config
from zeroflux.errors import ConfigError
from zeroflux.stages.correlate import CORRELATE
from zeroflux.stages.data import GATHER
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
    """Do the stages named, or all; those that are current are skipped.

    Raises
    ------
    ConfigError
        If a stage is named that the configuration has nothing to do for.
    """
    stages = stages_of(run.config)
    for name in names or stages:
        if name not in stages and name == SAMPLE.name:
            raise ConfigError(
                "The configuration takes its labels from `data.files`, so there is nothing to "
                f"sample; expected one of the stages {', '.join(stages)}. Leave `sample` out."
            )
        run_stage(stages.get(name, STAGES[name]), run)


def stages_of(config: Config) -> dict[str, Stage]:
    """Stages that a configuration has settings for.

    Without networks they end before training. On data that exist the labels are gathered, and
    nothing is sampled.
    """
    stages = dict(STAGES)
    if config.data is not None:
        del stages[SAMPLE.name]
        stages[GATHER.name] = GATHER
    if config.train is None:
        for name in (TRAIN.name, EVALUATE.name, REPORT.name):
            del stages[name]
    return stages


def status(run: Run) -> list[StageState]:
    """What is done and what is not."""
    return [state(stage, run) for stage in stages_of(run.config).values()]
