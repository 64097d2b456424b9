"""Reading a configuration: YAML with the line of every mistake."""

from __future__ import annotations

import reprlib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from zeroflux.config import Config
from zeroflux.errors import ArtifactError, ConfigError


def load_config(path: Path) -> Config:
    """Read and check a configuration file.

    Raises
    ------
    ConfigError
        If the file cannot be read or a value is not allowed; the message names file and line.
    """
    import yaml

    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: cannot be read ({error}); expected a YAML file. Write one with "
            "`zeroflux template > run.yaml`."
        ) from error
    try:
        nodes = yaml.compose(text, Loader=yaml.SafeLoader)
        tree = yaml.safe_load(text)
        repeated = _repeated_key(nodes)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = text.count("\n", 0, getattr(error, "position", 0)) + 1
        line = mark.line + 1 if mark else place
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise ConfigError(
            f"{path}:{line}: not YAML ({problem}); expected a section per stage. Correct the line."
        ) from error
    except RecursionError as error:
        raise ConfigError(
            f"{path}:1: nested too deeply; expected sections of keys, four levels at most. "
            "Correct the brackets or the indentation."
        ) from error
    except ValueError as error:  # such as a date that there is not, or a number of 5000 digits
        raise ConfigError(
            f"{path}:1: a value cannot be read ({error}); expected numbers, words and lists. "
            "Correct it or put it in quotes."
        ) from error
    if repeated is not None:
        raise ConfigError(
            f"{path}:{repeated.start_mark.line + 1}: found the key `{repeated.value}` twice in one "
            "section; expected each once. Leave one out."
        )
    if not isinstance(tree, dict):
        raise ConfigError(
            f"{path}:1: found {type(tree).__name__}, expected sections `sample:`, `train:` and so "
            "on. Write a starting file with `zeroflux template`."
        )
    try:
        config = Config.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(_messages(path, nodes, error)) from error
    except RecursionError as error:
        raise ConfigError(
            f"{path}:1: an alias holds itself; expected plain sections. Write the values out."
        ) from error
    return _with_paths_from(path, nodes, config)


def _with_paths_from(path: Path, nodes: Any, config: Config) -> Config:
    """Configuration whose relative paths start at the folder of its file."""
    from zeroflux.data import file_or_pool

    folder, sample, data = path.parent, config.sample, config.data
    if sample is not None and sample.from_file is not None:
        sample = sample.model_copy(update={"from_file": folder / sample.from_file})
    if data is not None:
        files = {}
        for name, file in data.files.items():
            try:
                files[name] = file_or_pool(file, folder=folder)
            except ArtifactError as error:
                key = ("data", "files", name)
                line = _line_of(nodes, key)
                raise ConfigError(f"{path}:{line}: `{'.'.join(key)}`: {error}") from error
        data = data.model_copy(update={"files": files})
    label = config.label.model_copy(update={"reuse": [folder / p for p in config.label.reuse]})
    return config.model_copy(update={"sample": sample, "label": label, "data": data})


def _messages(path: Path, nodes: Any, error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"]) or "the file"
        line = _line_of(nodes, item["loc"])
        if item["type"] == "extra_forbidden":
            problem = f"unknown key `{key}`{_suggestion(item['loc'])}"
        elif item["type"] == "missing":
            problem = f"`{key}` is missing"
        else:
            found = "" if isinstance(item["input"], dict) else f"found {_short(item['input'])}; "
            message = item["msg"].removeprefix("Value error, ")
            problem = f"`{key}`: {found}{message[0].lower() + message[1:]}"
        lines.append(f"{path}:{line}: {problem}")
    return "\n".join(lines) + "\n`zeroflux schema` lists every key, `zeroflux template` an example."


def _short(value: Any) -> str:
    """A value in one line of a message."""
    shown = reprlib.repr(value) if isinstance(value, (list, tuple, int)) else repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def _repeated_key(node: Any) -> Any:
    """First key that a mapping has twice, of which YAML would take the last in silence."""
    import yaml

    waiting, seen = [node], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                    if key.value in keys:
                        return key
                    keys.add(key.value)
                waiting.append(value)
        else:
            waiting += node.value
    return None


def _suggestion(location: tuple[int | str, ...]) -> str:
    import difflib

    keys = sorted(_all_keys(Config.model_json_schema()))
    close = difflib.get_close_matches(str(location[-1]), keys, n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def _all_keys(schema: dict[str, Any]) -> set[str]:
    keys = set(schema.get("properties", {}))
    for definition in schema.get("$defs", {}).values():
        keys |= set(definition.get("properties", {}))
    return keys


def _line_of(node: Any, location: tuple[int | str, ...]) -> int:
    """Line of the deepest node that exists along a location."""
    import yaml

    line = 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    line, node = key.start_mark.line + 1, value
                    break
            else:
                break
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
