"""ACF.dat, the table of Henkelman's ``bader``, for scripts that read it."""

from __future__ import annotations

import numpy as np

from zeroflux.analysis.frame_report import FrameReport

_RULE = " " + "-" * 82


def acf_text(report: FrameReport) -> str:
    """One frame as ACF.dat: positions (Å), electrons, distance to the surface (Å), volume (Å³).

    The columns and their widths are those of bader 1.05 (Henkelman, Arnaldsson, Jónsson, Comput.
    Mater. Sci. 36, 354 (2006), doi 10.1016/j.commatsci.2005.04.010). Unknown distances are 0.
    """
    names = ("x", "y", "z", "population", "surface_distance", "volume")
    columns = [np.nan_to_num(report.columns[name]) for name in names]
    vacuum = report.vacuum or {}
    electrons = float(report.columns["population"].sum()) + vacuum.get("population", 0.0)
    lines = [
        "    #         X            Y            Z         CHARGE       MIN DIST    ATOMIC VOL",
        _RULE,
        *(
            f"{k:5d}" + "".join(f"{x:13.6f}" for x in row)
            for k, row in enumerate(zip(*columns, strict=True), start=1)
        ),
        _RULE,
        f"    VACUUM CHARGE:      {vacuum.get('population', 0.0):15.4f}",
        f"    VACUUM VOLUME:      {vacuum.get('volume', 0.0):15.4f}",
        f"    NUMBER OF ELECTRONS: {electrons:14.4f}",
    ]
    return "\n".join(lines) + "\n"
