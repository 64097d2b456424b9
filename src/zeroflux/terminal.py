"""What a command shows while it works: lines on stdout, progress bars on stderr."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zeroflux.stages.machinery import Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_whole(table: Table, *, console: Console | None = None) -> None:
    """Print a table with every digit: where it is wider than the terminal, its lines are longer."""
    from rich.console import Console
    from rich.measure import Measurement

    console = console or Console(file=sys.stdout)
    width = console.width
    wanted = Measurement.get(console, console.options.update(max_width=10_000), table).maximum
    console.width = max(width, wanted)
    console.print(table)
    console.width = width


def as_text(table: Table) -> str:
    """A table as plain text, as wide as it needs."""
    from rich.console import Console

    out = io.StringIO()
    print_whole(table, console=Console(file=out, width=80))
    return out.getvalue()


@contextmanager
def shown_progress() -> Iterator[tuple[Callable[[str], None], Progress]]:
    """A function that prints lines and one that shows progress with the time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    bars = Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    tasks: dict[str, int] = {}
    seen: dict[str, int] = {}

    def progress(what: str, n_done: int, n_total: int) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=n_total)
        bars.update(tasks[what], completed=n_done, total=n_total)  # type: ignore[arg-type]
        if not console.is_terminal and n_done and seen.get(what) != n_done:
            seen[what] = n_done
            console.print(f"  {what}: {n_done} of {n_total}", highlight=False)

    def say(line: str) -> None:
        print(line, flush=True)  # noqa: T201  the command's output

    with bars:
        yield say, progress
