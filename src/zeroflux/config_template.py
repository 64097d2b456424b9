"""The configuration as a schema and as a template with every key."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from zeroflux.config import Config, Section

_TEMPLATE_VALUES: dict[str, str] = {
    "sample.seed": "1",
    "sample.systems": "\n    - name: argon\n      state_points:\n"
    "        - {composition: {Ar: 17}, temperature_kelvin: 90.0,\n"
    "           density_per_angstrom3: 0.02078, n_configurations: 24}",
    "train.seeds": "[0, 1, 2, 3]",
}

_TEMPLATE_EXAMPLES: dict[str, str] = {"data.files": "{argon: argon.extxyz.xz}"}
"""Keys without a default in sections that the template leaves out."""


def schema() -> str:
    """JSON schema of the configuration file."""
    return json.dumps(Config.model_json_schema(), indent=2)


def template() -> str:
    """A commented starting file: every key with its prose and its default."""
    head = [
        "# zeroflux configuration. Commented lines show the defaults.",
        "title: Liquid argon",
        "",
    ]
    return "\n".join([*head, *_section_lines(Config, _TEMPLATE_VALUES, depth=0)]) + "\n"


def _section_lines(
    model: type[BaseModel], values: dict[str, str], *, depth: int, prefix: str = ""
) -> list[str]:
    lines: list[str] = []
    pad = "  " * depth
    for name, info in model.model_fields.items():
        if depth == 0 and name == "title":
            continue
        key = f"{prefix}{name}"
        annotation = _unwrapped(info.annotation)
        is_section = isinstance(annotation, type) and issubclass(annotation, Section)
        prose = (annotation.__doc__ if is_section and depth == 0 else info.description) or ""
        lines += [f"{pad}# {line}" for line in prose.strip().splitlines()]
        if is_section:
            inner = _section_lines(annotation, values, depth=depth + 1, prefix=f"{key}.")
            has_values = any(not line.lstrip().startswith("#") for line in inner)
            lines += [f"{pad}{'' if has_values else '# '}{name}:", *inner]
        elif key in values:
            gap = "" if values[key].startswith("\n") else " "
            lines.append(f"{pad}{name}:{gap}{values[key]}")
        elif info.is_required():
            lines.append(f"{pad}# {name}: {_TEMPLATE_EXAMPLES[key]}")
        else:
            default = info.get_default(call_default_factory=True)
            lines.append(f"{pad}# {name}: {json.dumps(default, default=str)}")
        if depth == 0:
            lines.append("")
    return lines


def _unwrapped(annotation: Any) -> Any:
    """The section within ``Section | None``."""
    from typing import get_args

    sections = [a for a in get_args(annotation) if isinstance(a, type) and issubclass(a, Section)]
    return sections[0] if len(sections) == 1 and type(None) in get_args(annotation) else annotation
