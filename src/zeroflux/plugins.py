"""What other packages add, found by their entry points; docs/how-to/plug-ins.md has examples."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any, Literal

from zeroflux.errors import PluginError

Kind = Literal["formats", "engines", "architectures", "models"]


def installed(kind: Kind) -> dict[str, Any]:
    """Entry points of the group ``zeroflux.KIND`` by name."""
    return {point.name: point for point in entry_points(group=f"zeroflux.{kind}")}


def load(kind: Kind, name: str) -> Any:
    """What an entry point names.

    Raises
    ------
    PluginError
        If it cannot be imported.
    """
    point = installed(kind)[name]
    try:
        return point.load()
    except (Exception, SystemExit) as error:
        owner = point.dist.name if point.dist else "a package"
        raise PluginError(
            f"{name}: the entry point {point.value} of {owner} cannot be imported "
            f"({type(error).__name__}: {error}); expected one of the group zeroflux.{kind}. "
            f"Mend or uninstall {owner}."
        ) from error
