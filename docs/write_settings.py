"""Write the settings' table into docs/settings.md from the schema; ``--check`` only compares.

``python docs/write_settings.py``. Descriptions are the docstrings of ``fim_lsp.settings``.
"""

import ast
import dataclasses
import inspect
import re
import sys
import textwrap
import typing
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from fim_lsp import settings

PAGE = Path(__file__).parent / "settings.md"
BEGIN = "<!-- settings: written by docs/write_settings.py -->\n"
END = "<!-- /settings -->"


def rows(cls: type, at: str = "") -> list[str]:
    """A row for each setting of a class, nested ones behind it."""
    hints = typing.get_type_hints(cls)
    described = docstrings(cls)
    plain, nested = list[str](), list[str]()
    for field in dataclasses.fields(cls):
        if dataclasses.is_dataclass(hints[field.name]):
            nested += rows(cast("type", hints[field.name]), f"{at}{field.name}.")
        else:
            text = described.get(field.name, "")
            plain.append(f"| `{at}{field.name}` | {default(field.default)} | {text} |")
    return plain + nested


def docstrings(cls: type) -> dict[str, str]:
    """Each field's docstring, on one line."""
    body = cast("ast.ClassDef", ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]).body
    return {
        node.target.id: " ".join(ast.literal_eval(text.value).split())
        for node, text in pairwise(body)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }


def default(value: Any) -> str:
    """A default as it would stand in the file."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value == settings.EXCLUDE_BY_DEFAULT:
        return "keys, certificates, `.env*`…"
    if isinstance(value, tuple):
        return f"`{list(cast('tuple[object, ...]', value))}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def written(page: str) -> str:
    """The page with the table as the schema has it."""
    head = "| setting | default | meaning |\n|---|---|---|\n"
    table = head + "\n".join(rows(settings.Settings)) + "\n"
    return re.sub(f"(?<={re.escape(BEGIN)}).*?(?={END})", lambda _: table, page, flags=re.DOTALL)


if __name__ == "__main__":
    before = PAGE.read_text("utf-8")
    after = written(before)
    if "--check" in sys.argv[1:]:
        sys.exit("docs/settings.md: run docs/write_settings.py" if after != before else 0)
    PAGE.write_text(after, "utf-8")
