"""The layers: a module imports only from its own line or the lines above it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import fim_lsp

ROOT = Path(fim_lsp.__file__).parent

LAYERS = (
    ("__init__", "errors", "context", "presets"),
    ("settings", "document", "notebook", "language"),
    ("indent", "embedded"),
    ("line",),
    ("place",),
    ("trigger", "prompt", "stop", "postprocess", "names", "secrets"),
    ("keys", "workspace", "background", "store"),
    ("providers",),
    ("memory", "pacing", "snippets", "nearby"),
    ("calls",),
    ("reading",),
    ("standing",),
    ("completer", "oneshot"),
    ("trace", "trace_summary", "history", "stats", "lsp_client", "terminal"),
    ("server",),
    ("doctor", "demo", "setup", "context_report", "shell_completion"),
    ("cli",),
    ("__main__",),
)
LEVEL = {module: level for level, line in enumerate(LAYERS) for module in line}

HOMES = {
    "pygls": {"server"},
    "lsprotocol": {"server"},
    "httpx": {"providers.transport"},
    "cachetools": {"memory"},
    "cattrs": {"settings", "server"},
    "pathspec": {"workspace"},
    "truststore": {"providers.route"},
    "platformdirs": {"settings"},
    "redis": {"store"},
    "cryptography": {"providers.shared_answers"},
    "rich": {"stats.table"},
    "shtab": {"shell_completion"},
    "yaml": {"setup.continue_config"},
}
"""Each library's home: the only modules that may import it."""

PURE = {
    *("errors", "context", "language", "embedded", "indent", "line", "place"),
    *("trigger", "prompt", "stop", "postprocess"),
}
IMPURE = {"asyncio", "time", "os", "io", "socket", "subprocess", "threading", "random", "pathlib"}
"""Values and pure rules do no I/O and read no clock."""

FILES = sorted(ROOT.rglob("*.py"))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> set[str]:
    """What a file imports when it runs, wherever in it; imports for types alone do not count."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        waiting.extend(ast.iter_child_nodes(node))
    return found


def own(name: str) -> str | None:
    """The project's top-level module that an import names."""
    parts = name.split(".")
    if parts[0] != "fim_lsp":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in LEVEL else "__init__"


def test_every_module_has_a_layer() -> None:
    assert {module_of(path).split(".")[0] or "__init__" for path in FILES} <= set(LEVEL)


def test_every_module_is_on_the_code_map() -> None:
    page = (ROOT.parent / "docs/architecture.md").read_text("utf-8")
    code_map = page.partition("## Code map")[2].partition("## Invariants")[0]
    named = {name.split("/")[0] for name in re.findall(r"`([\w/]+)`", code_map)}
    assert {name for name in LEVEL if not name.startswith("__")} <= named


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_go_one_way(path: Path) -> None:
    here = LEVEL[module_of(path).split(".")[0] or "__init__"]
    above = {name for name in imports_of(path) if (module := own(name)) and LEVEL[module] > here}
    assert not above


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_each_library_has_its_home(path: Path) -> None:
    libraries = {name.split(".")[0] for name in imports_of(path)} & set(HOMES)
    module = module_of(path)
    assert not {name for name in libraries if not {module, module.split(".")[0]} & HOMES[name]}


@pytest.mark.parametrize(
    "path", [p for p in FILES if module_of(p).split(".")[0] in PURE], ids=module_of
)
def test_pure_modules_touch_nothing(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports_of(path)} & IMPURE


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_document_text_is_never_split_at_exotic_line_ends(path: Path) -> None:
    assert ".splitlines(" not in path.read_text(encoding="utf-8")
