"""What all tests share: an editor that is missing is a reason to skip, and in CI a failure."""

import os

import pytest

from tests.editors.terminal import program


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip ``@pytest.mark.editor("nvim", …)`` where one of the programs is not installed."""
    for mark in item.iter_markers("editor"):
        missing = [name for name in mark.args if program(name) is None]
        if not missing:
            continue
        scripts = "tests/editors/setup_editors.sh and setup_vscode.sh"
        reason = f"no {' and no '.join(missing)}: run {scripts}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
