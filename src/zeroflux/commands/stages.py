"""Options that all stages share, and doing them with progress on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file; see `template`.")]
OutPath = Annotated[
    Path | None,
    typer.Option(
        "--out",
        "-o",
        metavar="RUN_DIR",
        help="Directory of the artifacts.",
        show_default="runs/NAME OF CONFIG",
    ),
]

Force = Annotated[
    bool, typer.Option("--force", help="Take over a directory with another configuration's run.")
]
WithUpstream = Annotated[
    bool, typer.Option("--with-upstream", help="Also bring the stages before it up to date.")
]


def do_stages(
    config: Path,
    out: Path | None,
    *stages: str,
    force: bool = False,
    with_upstream: bool = False,
) -> None:
    """Do stages of a run, or all of them."""
    from zeroflux.interruption import working_folder
    from zeroflux.run_directory import new_run
    from zeroflux.stages import run_stages
    from zeroflux.terminal import shown_progress

    with shown_progress() as (say, progress):
        run = new_run(config, out, say=say, progress=progress, is_forced=force)
        with working_folder(run.out):
            run_stages(run, *stages, with_upstream=with_upstream)
