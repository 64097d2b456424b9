"""The stages in their order."""

from __future__ import annotations

from dataclasses import replace

from zeroflux.config import Config
from zeroflux.errors import ArtifactError, ConfigError
from zeroflux.stages.correlate import CORRELATE
from zeroflux.stages.data import GATHER
from zeroflux.stages.evaluate import EVALUATE
from zeroflux.stages.keep import keep_config
from zeroflux.stages.label import LABEL
from zeroflux.stages.machinery import Run, Stage, StageState, lock, run_stage, state
from zeroflux.stages.report import REPORT
from zeroflux.stages.sample import SAMPLE
from zeroflux.stages.train import TRAIN

STAGES: dict[str, Stage] = {
    stage.name: stage for stage in (SAMPLE, LABEL, CORRELATE, TRAIN, EVALUATE, REPORT)
}


def run_stages(run: Run, *names: str, with_upstream: bool = False) -> None:
    """Do the stages named, or all; those that are current are skipped.

    Parameters
    ----------
    run
        Run, whose directory is held by this process until the end.
    names
        Stages in the order in which they are done.
    with_upstream
        Also do the stages that these depend on, where they are not current.

    Raises
    ------
    ConfigError
        If a stage is named that the configuration has nothing to do for, or the directory holds
        a run of another configuration.
    ArtifactError
        If a stage that is needed is not current, or another process works on this run.
    """
    stages = stages_of(run.config)
    if names and SAMPLE.name in names and SAMPLE.name not in stages:
        raise ConfigError(
            "The configuration takes its labels from `data.files`, so there is nothing to "
            f"sample; expected one of the stages {', '.join(stages)}. Leave `sample` out."
        )
    with lock(run.out):
        keep_config(run)
        for name in names or stages:
            stage = stages.get(name, STAGES[name])
            for needed in _upstream(stage, run):
                found = {s.name: s for s in status(run)}[needed.name]
                if found.is_current:
                    continue
                if not with_upstream:
                    raise ArtifactError(
                        f"Stage {name} needs {needed.name}, which is to do ({found.remark}); "
                        "expected it to be current. "
                        + stage.remedy.format(out=run.out)
                        + ", or add --with-upstream."
                    )
                run_stage(needed, run)
            run_stage(stage, run)


def _upstream(stage: Stage, run: Run) -> list[Stage]:
    """Stages whose artifacts a stage is made from, the earliest first."""
    stages = stages_of(run.config)
    names = {
        path.relative_to(run.out).parts[0]
        for path in stage.inputs(run).values()
        if path.is_relative_to(run.out)
    }
    direct = [stages[name] for name in stages if name in names and name != stage.name]
    every = {s.name: s for one in direct for s in (*_upstream(one, run), one)}
    return [s for name, s in stages.items() if name in every]


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
    """What is done and what is not: a stage is current only if all that it came from is."""
    states: dict[str, StageState] = {}
    for name, stage in stages_of(run.config).items():
        found = state(stage, run)
        behind = [s.name for s in _upstream(stage, run) if not states[s.name].is_current]
        if behind and found.is_current:
            found = replace(found, is_current=False, remark=f"waits for {', '.join(behind)}")
        states[name] = found
    return list(states.values())
