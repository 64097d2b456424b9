"""Sphinx extension: every example of `examples/gallery` is run, and is a page with its figure."""

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples" / "gallery"
SOURCE = Path(__file__).parents[1] / "src"
PAGES = Path(__file__).parent / "gallery"


def parts(script: Path) -> tuple[str, str, str]:
    """Title, text and code of an example: its docstring's first line, the rest, what follows."""
    _, docstring, code = script.read_text(encoding="utf-8").split('"""', 2)
    title, _, text = docstring.partition("\n")
    return title.rstrip("."), text.strip(), code.strip()


def run(script: Path, folder: Path) -> str:
    """Run an example in `folder`, where it leaves its figure; what it printed."""
    folder.mkdir(parents=True, exist_ok=True)
    given = {
        "MPLBACKEND": "svg",
        "PYTHONPATH": os.pathsep.join([str(SOURCE), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(
        [sys.executable, str(script.resolve())],
        cwd=folder,
        env={**os.environ, **given},
        text=True,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{script}: exit status {done.returncode}\n{done.stderr}")
    return done.stdout


def page(script: Path, folder: Path) -> str:
    """Page of one example; it runs again only where its code has changed."""
    title, text, code = parts(script)
    mark = folder / f"{script.stem}.{sha256(script.read_bytes()).hexdigest()[:12]}.txt"
    if not mark.exists():
        mark.write_text(run(script, folder), encoding="utf-8")
    printed = mark.read_text(encoding="utf-8").rstrip()
    shown = f"It prints\n\n```text\n{printed}\n```\n\n" if printed else ""
    return (
        f"# {title}\n\n{text}\n\n![{title}](run/{script.stem}.svg)\n\n{shown}"
        f"```python\n{code}\n```\n\n"
        f"The file is `examples/gallery/{script.name}`; `python` runs it as it stands.\n"
    )


def build(_app: object) -> None:
    """Write the pages and their index."""
    folder = PAGES / "run"
    folder.mkdir(parents=True, exist_ok=True)
    scripts = sorted(EXAMPLES.glob("*.py"))
    for script in scripts:
        (PAGES / f"{script.stem}.md").write_text(page(script, folder), encoding="utf-8")
    entries = "\n".join(script.stem for script in scripts)
    (PAGES / "index.md").write_text(
        "# Gallery\n\nEach page is one short program with its figure, made when the site was "
        f"built.\n\n```{{toctree}}\n:maxdepth: 1\n\n{entries}\n```\n",
        encoding="utf-8",
    )


def setup(app):
    app.connect("builder-inited", build)
    return {"parallel_read_safe": True, "version": "1"}
