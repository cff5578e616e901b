"""Write the server's settings into the extension, so that VS Code knows what fim-lsp knows.

``package.json`` gets all settings, ``src/key_variables.ts`` the names of the variables for keys.

``python editors/vscode/write_settings.py`` writes; with ``--check`` it only compares and ends with
status 1 where they differ. Descriptions are the docstrings of ``fim_lsp.settings``. Nothing has a
default here but null: an unset setting is not sent, so that ``config.toml`` decides.
"""

import ast
import dataclasses
import inspect
import json
import sys
import textwrap
import types
import typing
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, cast

from fim_lsp import __version__, settings
from fim_lsp.presets import PRESETS

PACKAGE = Path(__file__).parent / "package.json"
VARIABLES = Path(__file__).parent / "src/key_variables.ts"
APPLICATION = (
    *("preset", "provider", "base_url", "full_url", "headers", "fallback"),
    *("api_key_env", "api_key_command", "network.", "context.", "limits.store"),
    *("cache.store", "trigger.disabled_languages"),
)
"""A workspace, which may be a stranger's, must not decide where code and keys go, nor which."""
_JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def ours() -> dict[str, Any]:
    """The settings of the extension itself."""
    return {
        "fim.enabled": {
            "type": "boolean",
            "default": True,
            "description": "Whether to suggest anything.",
        },
        "fim.command": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "scope": "machine",
            "description": "The server's program and its arguments; empty: `fim-lsp` on the PATH or"
            " in ~/.local/bin, else the one that this extension has installed.",
        },
        "fim.trace.server": {
            "type": "string",
            "enum": ["off", "messages", "verbose"],
            "default": "off",
            "scope": "application",
            "description": "Write the messages between VS Code and the server to the log. The log"
            " then holds your code.",
        },
    }


def properties(cls: type, at: str = "") -> dict[str, Any]:
    """The VS Code settings of a settings class, dotted and in camel case."""
    described = _docstrings(cls)
    hints = typing.get_type_hints(cls)
    found: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        name, kind = at + field.name, hints[field.name]
        if dataclasses.is_dataclass(kind):
            found |= properties(cast("type", kind), f"{name}.")
            continue
        entry = _schema(kind) | {"default": None}
        own = any(name == one or (one[-1] == "." and name.startswith(one)) for one in APPLICATION)
        entry["scope"] = "application" if own else "resource"
        entry["description"] = described.get(field.name, "") + _default(field.default)
        found["fim." + _camel(name)] = entry
    return found


def _schema(kind: Any) -> dict[str, Any]:
    """The JSON schema of a setting's type; null stands for unset."""
    parts = (
        typing.get_args(kind)
        if typing.get_origin(kind) in {typing.Union, types.UnionType}
        else (kind,)
    )
    schemas = [_simple(part) for part in parts if part is not type(None)]
    names = {schema["type"] for schema in schemas}
    if len(schemas) == 1 and "enum" in schemas[0]:
        return {"type": ["string", "null"], "enum": [*schemas[0]["enum"], None]}
    merged = {
        name: value for schema in schemas for name, value in schema.items() if name == "items"
    }
    return {"type": [*sorted(names), "null"], **merged}


def _simple(kind: Any) -> dict[str, Any]:
    if typing.get_origin(kind) is Literal:
        return {"type": "string", "enum": list(typing.get_args(kind))}
    if typing.get_origin(kind) is tuple:
        return {"type": "array", "items": {"type": "string"}}
    return {"type": _JSON_TYPES[kind]}


def _docstrings(cls: type) -> dict[str, str]:
    body = cast("ast.ClassDef", ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]).body
    return {
        cast("ast.Name", field.target).id: " ".join(str(said.value.value).split())
        for field, said in pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(said, ast.Expr)
        and isinstance(said.value, ast.Constant)
    }


def _default(value: object) -> str:
    if value is None or value is dataclasses.MISSING or isinstance(value, tuple):
        return ""
    return f" Default: {json.dumps(value)}."


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def package() -> str:
    """The text of ``package.json`` as it should be."""
    found = json.loads(PACKAGE.read_text("utf-8"))
    found["version"] = __version__
    configuration = found["contributes"]["configuration"]
    configuration["properties"] = ours() | properties(settings.Settings)
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def variables() -> str:
    """The text of ``src/key_variables.ts`` as it should be."""
    default = settings.Settings().api_key_env
    providers = {preset.provider: preset.api_key_env for preset in PRESETS.values()}
    tables = {
        "BY_PRESET": {name: preset.api_key_env for name, preset in PRESETS.items()},
        "BY_PROVIDER": providers | {"mistral": default},
    }
    lines = ["// Written by write_settings.py: the variables that hold the keys."]
    for name, table in tables.items():
        lines.append(
            f"export const {name}: Record<string, string> = {json.dumps(table, indent=2)};"
        )
    lines.append(f"export const DEFAULT_VARIABLE = {json.dumps(default)};")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write, or compare; the exit status."""
    wanted = {PACKAGE: package(), VARIABLES: variables()}
    if "--check" in sys.argv:
        return int(any(file.read_text("utf-8") != text for file, text in wanted.items()))
    for file, text in wanted.items():
        file.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
