"""Run the tests on single-point mutants of the package and say which ones no test kills.

    python tests/mutation/run.py                       # all mutants of mutants.json
    python tests/mutation/run.py --only evaluation/    # those whose path starts so
    python tests/mutation/run.py --only partition/ --sample 20 --seed 1

Each mutant replaces one piece of text that occurs once in its file, in a temporary copy of the
package; the working tree is never touched. A mutant is killed when its tests fail, or run longer
than ten times as long as on the unchanged copy. Exit status 1 if any survives.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("mutants.json")
COMPILED = "@njit"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", type=Path, default=LIST, help="JSON list of mutants")
    parser.add_argument("--only", default="", help="start of the paths to take")
    parser.add_argument("--sample", type=int, help="so many of them at random")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--write", type=Path, help="JSON file for the survivors")
    options = parser.parse_args()
    listed = json.loads(options.list.read_text(encoding="utf-8"))
    mutants = [m for m in listed["mutants"] if m["path"].startswith(options.only)]
    if options.sample is not None:
        mutants = random.Random(options.seed).sample(mutants, min(options.sample, len(mutants)))
    survivors, verdicts = [], Counter()
    with tempfile.TemporaryDirectory() as place:
        copy = Copy(Path(place))
        for mutant in mutants:
            verdict = judged(mutant, tests_of(mutant["path"], listed["tests"]), copy)
            verdicts[verdict] += 1
            print(f"{verdict:10} {name_of(mutant)}", flush=True)
            if verdict in ("survived", "stale"):
                survivors.append(mutant)
    if options.write:
        options.write.write_text(json.dumps(survivors, indent=1, ensure_ascii=False) + "\n")
    n_judged = verdicts["killed"] + verdicts["survived"]
    rate = 100.0 * verdicts["killed"] / n_judged if n_judged else float("nan")
    print(f"\n{verdicts['killed']} of {n_judged} killed ({rate:.0f} %); {dict(verdicts)}")
    return 1 if survivors else 0


def judged(mutant: dict, tests: list[str], copy: Copy) -> str:
    """What became of a mutant: killed, survived, equivalent (not run) or stale (not found)."""
    if "equivalent" in mutant:
        return "equivalent"
    path = copy.source / mutant["path"]
    if not path.is_file() or path.read_text(encoding="utf-8").count(mutant["old"]) != 1:
        return "stale"  # the code has moved on: write the mutant anew or drop it
    limit = 10.0 * copy.seconds_unchanged(tests)
    original = path.read_text(encoding="utf-8")
    try:
        path.write_text(original.replace(mutant["old"], mutant["new"]), encoding="utf-8")
        passed = copy.passes(tests, limit, cache=copy.cache_for(path, original))
    finally:
        path.write_text(original, encoding="utf-8")
    return "survived" if passed else "killed"


def tests_of(path: str, tests: dict[str, list[str]]) -> list[str]:
    """Tests of the longest listed start of a path."""
    starts = [start for start in tests if path.startswith(start)]
    if not starts:
        raise SystemExit(f"No tests are listed for {path}; add a start of it under 'tests'.")
    return tests[max(starts, key=len)]


def name_of(mutant: dict) -> str:
    """One line that tells a mutant from others."""
    old, new = (" ".join(mutant[key].split()) for key in ("old", "new"))
    return f"{mutant['path']}: {old} -> {new}"


class Copy:
    """A copy of the package in which the tests of the repository run."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.source = place / "src" / "zeroflux"
        shutil.copytree(
            ROOT / "src" / "zeroflux", self.source, ignore=shutil.ignore_patterns("__pycache__")
        )
        shutil.copytree(ROOT / "data", place / "data")
        self.warm = place / "kernels"
        self._seconds: dict[tuple[str, ...], float] = {}

    def seconds_unchanged(self, tests: list[str]) -> float:
        """Time of the tests on the unchanged copy, which must pass; kernels get compiled."""
        key = tuple(tests)
        if key not in self._seconds:
            if not self.passes(tests, 3600.0, cache=self.warm):
                raise SystemExit(f"{' '.join(tests)} fail without a mutant; mend them first.")
            begin = time.perf_counter()
            self.passes(tests, 3600.0, cache=self.warm)
            # A kernel that has changed is compiled once more.
            self._seconds[key] = 10.0 + time.perf_counter() - begin
        return self._seconds[key]

    def cache_for(self, path: Path, original: str) -> Path:
        """Compiled kernels that a mutant may use: numba looks at a kernel's own file only."""
        if COMPILED not in original:
            return self.warm
        fresh = self.place / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        users = [
            p.stem
            for p in path.parent.glob("*.py")
            if COMPILED in (text := p.read_text(encoding="utf-8")) and path.stem in text
        ]
        if not users:
            shutil.copytree(self.warm, fresh, ignore=shutil.ignore_patterns(f"{path.stem}.*"))
        return fresh

    def passes(self, tests: list[str], limit: float, *, cache: Path) -> bool:
        """Whether the tests pass within a time (s) with the copy as it is now."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.place / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",  # a mutant of equal length and second looks unchanged
            "NUMBA_CACHE_DIR": str(cache),
            "CI": "1",  # the same examples for every mutant
        }
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, timeout=limit, check=False
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
