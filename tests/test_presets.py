"""Presets: what each stands for, what wins over it, and that no host gets another's key."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from fim_lsp.errors import SettingError
from fim_lsp.presets import PRESETS, PresetName
from fim_lsp.providers import registry
from fim_lsp.settings import Layer, Settings, parse


def settings_of(*tables: dict[str, Any]) -> Settings:
    parsed = parse(*(Layer(source="test", table=table) for table in tables))
    assert parsed.problems == ()
    return parsed.settings


def test_every_name_has_its_preset() -> None:
    assert set(PRESETS) == set(get_args(PresetName))


@pytest.mark.parametrize("name", PRESETS)
async def test_a_preset_connects_once_it_has_what_it_needs(name: PresetName) -> None:
    given = {"base_url": "https://host.example/v1", "model": "qwen2.5-coder"}
    needed = {one: given[one] for one in PRESETS[name].needs}
    settings = settings_of({"preset": name, **needed})
    provider = registry.connect(settings)
    assert provider.free is False
    await provider.aclose()


@pytest.mark.parametrize("name", [name for name in PRESETS if "model" in PRESETS[name].needs])
def test_a_missing_model_is_said(name: PresetName) -> None:
    with pytest.raises(SettingError, match="set model"):
        registry.connect(settings_of({"preset": name}))


def test_a_missing_address_is_said_and_nothing_is_sent_elsewhere() -> None:
    parsed = parse(Layer(source="test", table={"preset": "odeus-dedicated"}))
    assert [line.partition(",")[0] for line in parsed.problems] == [
        'preset = "odeus-dedicated" needs base_url'
    ]
    assert parsed.settings.effective_provider == "local"


def test_the_default_is_the_odeus_preset() -> None:
    assert settings_of({"preset": "odeus"}).effective_base_url == (
        settings_of({"provider": "mistral"}).effective_base_url
    )


WINS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "a preset alone": (
        [{"preset": "codestral"}],
        {"base_url": "https://codestral.mistral.ai/v1", "api_key_env": "CODESTRAL_API_KEY"},
    ),
    "what stands beside it": (
        [{"preset": "mistral", "model": "codestral-2508", "api_key_env": "MINE"}],
        {"provider": "mistral", "model": "codestral-2508", "api_key_env": "MINE"},
    ),
    "what a later place says": (
        [{"preset": "ollama"}, {"model": "starcoder2:3b"}],
        {"provider": "ollama", "model": "starcoder2:3b"},
    ),
    "a later preset over all of an earlier endpoint": (
        [
            {
                "base_url": "https://host.example/v1",
                "model": "codestral-2501",
                "api_key_command": ["pass", "show", "key"],
                "headers": ["x-team: 7"],
            },
            {"preset": "vllm"},
        ],
        {
            "provider": "openai",
            "base_url": "http://127.0.0.1:8000/v1",
            "model": None,
            "api_key_env": "VLLM_API_KEY",
            "api_key_command": (),
            "headers": (),
        },
    ),
    "a later provider ends the preset": (
        [{"preset": "mistral"}, {"provider": "ollama", "model": "starcoder2:3b"}],
        {"preset": None, "base_url": None, "api_key_env": "OLLAMA_API_KEY"},
    ),
    "a later provider leaves what was set beside the preset": (
        [{"preset": "mistral", "api_key_env": "MINE"}, {"provider": "local"}],
        {"provider": "local", "base_url": None, "api_key_env": "MINE"},
    ),
}


@pytest.mark.parametrize(("places", "expected"), WINS.values(), ids=WINS)
def test_what_wins(places: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    settings = settings_of(*places)
    assert {name: getattr(settings, name) for name in expected} == expected
