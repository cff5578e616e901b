"""End-to-end tests: real editors, the real server process, a loopback endpoint."""

import pytest

pytest.register_assert_rewrite("tests.editors.terminal", "tests.editors.neovim")
