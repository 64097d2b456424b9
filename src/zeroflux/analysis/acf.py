"""ACF.dat, the table of Henkelman's ``bader``, for scripts that read it."""

from __future__ import annotations

from zeroflux.analysis.frame_report import FrameReport

_HEAD = "    #         X           Y           Z       CHARGE      MIN DIST   ATOMIC VOL"
_RULE = " " + "-" * 80


def acf_text(report: FrameReport) -> str:
    """One frame as ACF.dat: positions (Å), electrons, distance to the surface (Å), volume (Å³).

    The columns and their widths are those of bader 1.05 (Henkelman, Arnaldsson, Jónsson, Comput.
    Mater. Sci. 36, 354 (2006), doi 10.1016/j.commatsci.2005.04.010). The distance is NaN for an
    atom without a surface.
    """
    names = ("x", "y", "z", "population", "surface_distance", "volume")
    rows = zip(*(report.columns[name] for name in names), strict=True)
    vacuum = report.vacuum or {}
    electrons = float(report.columns["population"].sum()) + vacuum.get("population", 0.0)
    lines = [
        _HEAD,
        _RULE,
        *(
            f"{k:5d}{x:12.6f}{y:12.6f}{z:12.6f}{charge:12.6f}{distance:13.6f}{volume:13.6f}"
            for k, (x, y, z, charge, distance, volume) in enumerate(rows, start=1)
        ),
        _RULE,
        f"    VACUUM CHARGE:{vacuum.get('population', 0.0):21.4f}",
        f"    VACUUM VOLUME:{vacuum.get('volume', 0.0):21.4f}",
        f"    NUMBER OF ELECTRONS:{electrons:15.4f}",
    ]
    return "\n".join(lines) + "\n"
