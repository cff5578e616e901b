"""Everything a user can change: one schema, three places, later wins.

The places are the file ``config.toml``, what the editor sends, and the command line. Each gives a
plain table; ``parse`` merges them and says what it did not understand, one line for each, while the
rest still applies. Names may be written ``snake_case``, ``kebab-case`` or ``camelCase``.
"""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, cast

from fim_lsp.presets import PRESETS, FallbackName, PresetName

_T = typing.TypeVar("_T")
SnippetMode = Literal["off", "open", "workspace"]
ProviderName = Literal["mistral", "llamacpp", "ollama", "openai", "deepseek", "inception", "local"]

DEFAULT_BASE_URLS: Mapping[str, str] = types.MappingProxyType(
    {
        "mistral": "https://api.odeus.ai/mistral/eu/v1",
        "llamacpp": "http://127.0.0.1:8080",
        "ollama": "http://127.0.0.1:11434",
        "openai": "http://127.0.0.1:8000/v1",
        "deepseek": "https://api.deepseek.com/beta",
        "inception": "https://api.inceptionlabs.ai/v1",
    }
)
DEFAULT_MODELS: Mapping[str, str] = types.MappingProxyType(
    {
        "mistral": "codestral-2501",
        "deepseek": "deepseek-chat",
        "inception": "mercury-edit-2",
    }
)

UNTIL_THEN = " The local model answers until then."
"""Behind a problem that leaves it open where text may be sent."""

EXCLUDE_BY_DEFAULT = (
    ".env*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.gpg",
    "*.asc",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".htpasswd",
    "*credentials*",
    "secrets.*",
    "*.tfstate*",
    "*.tfvars",
    ".ssh/",
    ".aws/",
    ".gnupg/",
    "secrets/",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSettings:
    """The endpoint's own parameters, sent as they are; unset ones are not sent."""

    max_tokens: int = 128
    """At most this many tokens are generated for one answer."""
    min_tokens: int | None = None
    """At least this many; 1 keeps a model from answering nothing."""
    temperature: float | None = None
    """0 to 1.5; the endpoint recommends 0 to 0.7."""
    top_p: float | None = None
    """0 to 1; change this or the temperature, not both."""
    random_seed: int | None = None
    """Makes answers repeatable."""
    stop: str | tuple[str, ...] | None = None
    """Generation ends where one of these would come."""
    id_slot: int | None = None
    """For llamacpp: the server's slot, and so the cache, to use; unset: the server chooses."""
    stream: bool = True
    """Take the text as it is generated; without it an answer comes whole and later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """What the endpoint allows in any sixty seconds, for the whole workspace."""

    requests_per_minute: int = 500
    """Requests in any sixty seconds."""
    tokens_per_minute: int = 60_000
    """Tokens of prompts and answers in any sixty seconds."""
    shared_by: int = 1
    """How many people share these limits; each gets an equal part."""
    store: str = "auto"
    """Where calls are counted: ``file``, for all windows on this machine together; ``memory``, each
    server for itself; ``auto``, a file except for an endpoint on this machine; or a team's Redis or
    Valkey, ``redis://host:6379/0``, by which all who name it draw from one account. Its password
    stands in the variable FIM_LSP_STORE_PASSWORD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """Answers that are kept for others."""

    store: str | None = None
    """A team's Redis or Valkey, ``redis://host:6379/0``, in which answers are shared, encrypted so
    that only who asks the same can read them; unset: they are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerSettings:
    """When to ask."""

    debounce_ms: int | Literal["auto"] = "auto"
    """Pause after a key before asking, in milliseconds; never applied to an explicit request."""
    disabled_languages: tuple[str, ...] = ()
    """LSP language ids in which nothing is suggested."""
    completion_menu: Literal["auto", "always", "never"] = "auto"
    """Offer suggestions in the completion menu; auto: in editors known to have no ghost text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSettings:
    """What the model may read."""

    prompt_tokens: int = 800
    """Prefix, suffix and snippets together, in tokens."""
    exclude: tuple[str, ...] = EXCLUDE_BY_DEFAULT
    """Files (gitignore patterns) that are never sent and never read for context."""
    snippets: SnippetMode = "workspace"
    """Whose pieces go before the prompt: none, other open documents', or the workspace's."""
    snippets_by_language: tuple[str, ...] = ()
    """The same for single languages, each as ``language: mode``, such as ``markdown: off``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """How to reach the endpoint."""

    proxy: str | None = None
    """A proxy's address; otherwise HTTPS_PROXY and NO_PROXY of the environment count."""
    ca_bundle: str | None = None
    """A file of certificates to trust beside the system's."""
    allow_insecure: bool = False
    """Allow plain http to hosts other than this machine."""
    connect_timeout_s: float = 2.0
    """Time for the connection to stand."""
    read_timeout_s: float = 5.0
    """Time from one piece of the answer to the next."""
    total_timeout_s: float = 10.0
    """Time for one call in all."""
    warm_connection: bool = True
    """Connect before the first request needs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsSettings:
    """What is counted on this machine; it is sent to nobody."""

    enabled: bool = True
    """Count what is shown, accepted and kept, how fast it came and what it cost, for ``fim-lsp
    stats``; no text and no names."""
    prices: tuple[str, ...] = ()
    """What a model costs, each as ``model: prompt answer`` in dollars for a million tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a user can change. Every field has a default that works."""

    preset: PresetName | None = None
    """An endpoint by name: stands for ``provider``, ``base_url``, ``model`` and ``api_key_env``,
    each of which wins over it in the same place or a later one."""
    provider: ProviderName | None = None
    """The endpoint's dialect; unset: mistral if its key is there, else local."""
    base_url: str | None = None
    """The endpoint's address, up to before its own path; unset: the provider's usual one."""
    full_url: str | None = None
    """The whole address to post to, query and all, where it does not end in the provider's usual
    path (Azure, Vertex); wins over ``base_url``."""
    headers: tuple[str, ...] = ()
    """Further headers of every request, each as ``name: value``."""
    model: str | None = None
    """The model's name, sent as it is; unset: the provider's usual one."""
    template: str | None = None
    """For openai and ollama: the family whose layout of prefix and suffix the model wants, or
    ``suffix`` where the endpoint lays them out; unset: by the model's name."""
    api_key_env: str = "ODEUS_API_KEY"
    """The environment variable that holds the key; other providers than mistral have their own:
    LLAMA_API_KEY, OLLAMA_API_KEY, VLLM_API_KEY (openai), DEEPSEEK_API_KEY, INCEPTION_API_KEY."""
    api_key_command: tuple[str, ...] = ()
    """A command that prints the key; wins over the environment variable."""
    fallback: FallbackName = "none"
    """Who answers while the endpoint is away or the minute's budget is used up: ``local``, the
    embedded model, or another endpoint by its preset's name, with its own key and limits."""
    request: RequestSettings = field(default_factory=RequestSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    cache: CacheSettings = field(default_factory=CacheSettings)
    trigger: TriggerSettings = field(default_factory=TriggerSettings)
    context: ContextSettings = field(default_factory=ContextSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    stats: StatsSettings = field(default_factory=StatsSettings)

    @property
    def effective_provider(self) -> ProviderName:
        """The provider that is used, by the rule that ``provider`` documents."""
        if self.provider is not None:
            return self.provider
        has_key = bool(self.api_key_command or os.environ.get(self.api_key_env))
        return "mistral" if has_key or self.base_url or self.full_url else "local"

    @property
    def effective_base_url(self) -> str:
        """Where requests go, without a slash at the end; empty for the local provider."""
        if self.full_url:
            return self.full_url.partition("?")[0]
        url = self.base_url or DEFAULT_BASE_URLS.get(self.effective_provider, "")
        return url.rstrip("/").removesuffix("/fim/completions")  # people paste the whole address

    @property
    def for_fallback(self) -> Settings | None:
        """The settings of who stands in: nothing of this endpoint's address, key or model."""
        if self.fallback == "none":
            return None
        other = {"provider": "local"} if self.fallback == "local" else {"preset": self.fallback}
        shared = ("request", "trigger", "context", "network")
        made = parse(Layer(source="fallback", table=other)).settings
        is_teams = made.effective_base_url.startswith("https:")  # else this machine's own
        return dataclasses.replace(
            made,
            **{name: getattr(self, name) for name in shared},
            limits=LimitSettings(store=self.limits.store if is_teams else "auto"),
        )

    @property
    def effective_model(self) -> str:
        """The model that is asked for; empty where the provider needs none."""
        provider = self.effective_provider
        return "" if provider == "local" else self.model or DEFAULT_MODELS.get(provider, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One place's settings as it gave them."""

    source: str
    """What a person calls the place: a file's path, ``editor``, ``command line``."""
    table: Mapping[str, Any]
    is_trusted: bool = True
    """False where a project's own files can have written it: it decides nothing of what is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """The settings in force, where each came from, and what was not understood."""

    settings: Settings
    problems: tuple[str, ...] = ()
    """One readable line for each unknown name or wrong type."""
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    """Dotted name to the source of its layer, for the names that were set."""


def config_path() -> Path:
    """``config.toml`` in the platform's folder, or the path in ``FIM_LSP_CONFIG``."""
    if named := os.environ.get("FIM_LSP_CONFIG"):
        return Path(named).expanduser()
    import platformdirs

    return Path(platformdirs.user_config_dir("fim-lsp", appauthor=False)) / "config.toml"


def state_folder() -> Path:
    """The platform's folder for what a program remembers by itself."""
    import platformdirs

    return Path(platformdirs.user_state_dir("fim-lsp", appauthor=False))


def read_file(path: Path) -> tuple[Layer | None, str | None]:
    """The file's layer; no file is no problem.

    One that cannot be read gives a line that says why, and the local provider: it may have named
    an endpoint, or none, and nothing may be sent to another one in its place.
    """
    try:
        with path.open("rb") as file:
            return Layer(source=str(path), table=tomllib.load(file)), None
    except FileNotFoundError:
        return None, None
    except OSError as error:
        line = f"{path.name} cannot be read ({error.strerror}): fix its permissions."
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        what, _, place = str(error).removesuffix(")").partition(" (at ")
        where = f" at {place}" if place else ""
        line = f"{path.name} is not valid TOML{where}: correct it ({what})."
    return Layer(source=str(path), table={"provider": "local"}), line


def editor_layer(sent: object, *, is_trusted: bool = True) -> Layer | None:
    """What an editor sent, flat or under ``fim``; None where it is no table."""
    if not isinstance(sent, Mapping):
        return None
    table = cast("Mapping[str, Any]", sent)
    inner: object = table.get("fim", table)
    if not isinstance(inner, Mapping):
        return None
    table = cast("Mapping[str, Any]", inner)
    return Layer(source="editor", table=table, is_trusted=is_trusted)


def parse(*layers: Layer | None) -> Parsed:
    """Merge the layers, later over earlier, and say what was not understood."""
    given = [layer for layer in layers if layer is not None]
    reading = _Reading()
    values: dict[str, Any] = {}
    for layer in given:
        table = reading.table(Settings, layer.table, "", layer.source)
        if not layer.is_trusted:
            reading.problems += _distrust(table, values, layer.source)
        if table.get("provider") and "preset" not in table:
            _leave_preset(values)
        _overlay(values, _from_preset(table.get("preset")) | table)
    reading.problems += _missing(values)
    for name in reading.in_doubt.keys() - reading.sources.keys():
        values.pop("preset", None)
        values["provider"] = "local"
        reading.problems[reading.in_doubt[name]] += UNTIL_THEN
    _own_key(values)
    return Parsed(
        settings=_build(Settings, values),
        problems=tuple(reading.problems),
        sources=reading.sources,
    )


def _from_preset(name: PresetName | None) -> dict[str, Any]:
    """What a preset stands for: where to ask, whom, and by which key, all of it together.

    What an earlier place says of these does not belong to this endpoint: above all not its key.
    """
    if name is None:
        return {}
    preset = PRESETS[name]
    return {
        "provider": preset.provider,
        "base_url": preset.base_url,
        "full_url": None,
        "headers": (),
        "model": preset.model,
        "template": None,
        "api_key_env": preset.api_key_env,
        "api_key_command": (),
    }


def _own_key(values: dict[str, Any]) -> None:
    """A provider that is named without a key takes its own variable's, never the default's."""
    provider = values.get("provider")
    variables = {preset.provider: preset.api_key_env for preset in PRESETS.values()}
    if provider != "mistral" and provider in variables:
        values.setdefault("api_key_env", variables[provider])


def _leave_preset(values: dict[str, Any]) -> None:
    """A later place names a provider: the preset's address and key are not for that one."""
    for name, value in _from_preset(values.pop("preset", None)).items():
        if values[name] == value:
            del values[name]


def _missing(values: dict[str, Any]) -> list[str]:
    """A line where a preset lacks its address; nothing is sent to another one in its place."""
    preset = values.get("preset")
    if preset is None or any(values.get(name) for name in ("base_url", "full_url")):
        return []
    values["provider"] = "local"
    return [f'preset = "{preset}" needs base_url, {PRESETS[preset].about}: local until it is set.']


_DECIDES = frozenset(
    {"preset", "provider", "base_url", "full_url", "api_key_env", "api_key_command"}
)
"""Where code and keys go. A mistake in one of these sends nothing instead of to the default."""
_OF_ITS_PERSON = _DECIDES | {"fallback", "headers", "network"}
"""What no project may set."""


def _distrust(table: dict[str, Any], values: Mapping[str, Any], source: str) -> list[str]:
    """Take out of ``table`` what a project must not set, and say so; it may only narrow the rest.

    ``values`` are those of the places before.
    """
    taken = [name for name in table if name in _OF_ITS_PERSON]
    for name in taken:
        del table[name]
    stores = [one for one in ("cache", "limits") if table.get(one, {}).pop("store", None)]
    taken += [f"{one}.store" for one in stores]  # a team's, at any address
    for folder, name in (("context", "exclude"), ("trigger", "disabled_languages")):
        inner = table.get(folder, {})
        if name in inner:
            default = _value_of(_build(Settings, values), folder, name)
            inner[name] = tuple(dict.fromkeys((*default, *inner[name])))
    context = table.get("context", {})
    if "prompt_tokens" in context:
        most = _build(Settings, values).context.prompt_tokens
        context["prompt_tokens"] = min(context["prompt_tokens"], most)
    return [
        f"{source}: {name} is not taken from there, because a project's own files may have set "
        f"it: set it in {config_path()}."
        for name in taken
    ]


def _value_of(settings: Settings, folder: str, name: str) -> tuple[str, ...]:
    return getattr(getattr(settings, folder), name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a value must be beyond its type."""

    words: str
    """What the setting takes, for a person."""
    fits: Callable[[Any], bool]


def _at_least(low: float, most: float = float("inf")) -> Rule:
    words = f"{low:g} or more" if most == float("inf") else f"a number from {low:g} to {most:g}"
    return Rule(words=words, fits=lambda value: isinstance(value, str) or low <= value <= most)


def _is_address(value: str) -> bool:
    return re.fullmatch(r"https?://[^\s/?#@]+([/?#]\S*)?", value, re.IGNORECASE) is not None


def is_team_store(value: str) -> bool:
    """Whether it is a Redis server's address."""
    return re.fullmatch(r"(rediss?://[^\s/?#]+(/\d*)?|unix://[^\s?#]+)", value) is not None


def _is_store(value: str) -> bool:
    return value in {"auto", "file", "memory"} or is_team_store(value)


def _is_proxy(value: str) -> bool:
    return re.fullmatch(r"https?://\S+", value, re.IGNORECASE) is not None


def _are_modes(value: tuple[str, ...]) -> bool:
    modes = "|".join(typing.get_args(SnippetMode))
    return all(re.fullmatch(rf"\s*[\w#+.-]+\s*:\s*({modes})\s*", one) for one in value)


def _is_variable_name(value: str) -> bool:
    """Whether it can be a variable's name, and does not look like a key pasted in its place."""
    upper = re.fullmatch(r"[A-Z_][A-Z0-9_]*", value)
    return bool(upper or (len(value) < 20 and re.fullmatch(r"[A-Za-z_]\w*", value, re.ASCII)))


RULES: Mapping[str, Rule] = types.MappingProxyType(
    {
        "base_url": Rule(
            words="an address such as https://api.mistral.ai/v1, without a user name or key",
            fits=_is_address,
        ),
        "full_url": Rule(
            words="an address such as https://host.example/path?api-version=1",
            fits=_is_address,
        ),
        "api_key_env": Rule(
            words="the name of an environment variable, not the key itself",
            fits=_is_variable_name,
        ),
        "request.max_tokens": _at_least(1),
        "request.min_tokens": _at_least(0),
        "request.temperature": _at_least(0, 1.5),
        "request.top_p": _at_least(0, 1),
        "request.random_seed": _at_least(0),
        "request.id_slot": _at_least(0),
        "limits.requests_per_minute": _at_least(1),
        "limits.tokens_per_minute": _at_least(1),
        "limits.shared_by": _at_least(1),
        "limits.store": Rule(
            words='"auto", "file", "memory" or an address such as redis://host:6379/0',
            fits=_is_store,
        ),
        "cache.store": Rule(
            words="an address such as redis://host:6379/0",
            fits=is_team_store,
        ),
        "trigger.debounce_ms": _at_least(0, 10_000),
        "context.prompt_tokens": _at_least(100),
        "context.snippets_by_language": Rule(
            words='a list such as ["markdown: off", "c: open"], with off, open or workspace',
            fits=_are_modes,
        ),
        "network.proxy": Rule(
            words="an address such as http://proxy.example:3128",
            fits=_is_proxy,
        ),
        "network.connect_timeout_s": _at_least(0.1, 600),
        "network.read_timeout_s": _at_least(0.1, 600),
        "network.total_timeout_s": _at_least(0.1, 600),
        "stats.prices": Rule(
            words='a list such as ["codestral-2508: 0.30 0.90"]',
            fits=lambda value: all(re.fullmatch(r"\S+: *[\d.]+ +[\d.]+", one) for one in value),
        ),
    }
)
"""Dotted name to its rule, for the settings whose type says too little."""

_KEY_NAMES = frozenset({"api_key", "apikey", "key", "token", "api_token", "secret", "password"})
_OTHER_NAMES: Mapping[str, str] = types.MappingProxyType(
    {"endpoint": "base_url", "url": "base_url", "api_base": "base_url", "host": "base_url"}
)
"""What other tools call a setting."""


class _Reading:
    """Collects problems and sources while tables are read."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.sources: dict[str, str] = {}
        self.in_doubt: dict[str, int] = {}
        """What decides on what is sent where and was not understood, to the problem's index."""

    def table(self, cls: type, table: Mapping[str, Any], at: str, source: str) -> dict[str, Any]:
        """The values of ``table`` that fit ``cls``, checked one by one, nested as they are."""
        hints = _hints(cls)
        values: dict[str, Any] = {}
        for key, value in table.items():
            name = _snake(key)
            if name not in hints:
                meant = _meant(name, at, hints)
                self._doubt(meant)
                self._complain(source, _unknown(key, name, at, meant, hints))
            elif value is None:
                continue  # some clients send null for what is not set
            elif value == [] and dataclasses.is_dataclass(hints[name]):
                continue  # an empty Lua table
            elif dataclasses.is_dataclass(hints[name]):
                self._nested(values, name, value, (cls, at, source))
            else:
                self._leaf(values, name, value, (cls, at, source))
        return values

    def _nested(
        self, values: dict[str, Any], name: str, value: object, place: tuple[type, str, str]
    ) -> None:
        cls, at, source = place
        if isinstance(value, Mapping):
            inner = cast("Mapping[str, Any]", value)
            values[name] = self.table(_hints(cls)[name], inner, f"{at}{name}.", source)
        else:
            self._complain(source, f"{at}{name} is not a table; write [{at}{name}].")

    def _leaf(
        self, values: dict[str, Any], name: str, value: object, place: tuple[type, str, str]
    ) -> None:
        cls, at, source = place
        kind = _hints(cls)[name]
        rule = RULES.get(f"{at}{name}")
        try:
            fitting = _converter().structure(value, kind)
        except Exception:  # noqa: BLE001 - cattrs raises whatever a hook raised, in groups
            takes, near = _described(kind), _near_choice(value, kind)
        else:
            if rule is None or rule.fits(fitting):
                values[name] = fitting
                self.sources[f"{at}{name}"] = source
                return
            takes, near = rule.words, ""
        shown = _shown(name, value)
        self._doubt(f"{at}{name}")
        remedy = f": {near} It takes {takes}." if near else f"; it takes {takes}."
        self._complain(source, f"{at}{name}{shown} does not fit{remedy}")

    def _complain(self, source: str, text: str) -> None:
        """Note a line; a whole path before it would leave an editor's one line no room for it."""
        self.problems.append(f"{Path(source).name}: {text}")

    def _doubt(self, name: str) -> None:
        if name in _DECIDES or name == "context.exclude":
            self.in_doubt[name] = len(self.problems)


def _overlay(onto: dict[str, Any], table: Mapping[str, Any]) -> None:
    for name, value in table.items():
        if isinstance(value, dict) and isinstance(onto.get(name), dict):
            _overlay(onto[name], cast("dict[str, Any]", value))
        else:
            onto[name] = value


def _build(cls: type[_T], values: Mapping[str, Any]) -> _T:
    hints = _hints(cls)
    arguments = {
        name: _build(hints[name], value) if dataclasses.is_dataclass(hints[name]) else value
        for name, value in values.items()
    }
    return cls(**arguments)


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).replace("-", "_").lower()


def _unknown(name_as_sent: str, name: str, at: str, meant: str, hints: Mapping[str, Any]) -> str:
    written = at + (name_as_sent if name_as_sent.isprintable() else ascii(name_as_sent))[:60]
    if name in _KEY_NAMES:
        return (
            f"{written}: keys are not kept in settings; name the environment variable that holds "
            "it with api_key_env, or a command that prints it with api_key_command."
        )
    remedy = f"did you mean {meant}?" if meant else f"known here: {', '.join(hints)}."
    return f"unknown setting {written}: {remedy}"


def _meant(name: str, at: str, hints: Mapping[str, Any]) -> str:
    """The dotted name of the setting that was probably meant, or nothing."""
    if name in _KEY_NAMES:
        return ""
    if near := _near(name, hints):
        return f"{at}{near[0]}"
    return _OTHER_NAMES.get(name) or _dotted().get(name, "")


@cache
def _dotted() -> Mapping[str, str]:
    """A nested setting's own name to its dotted one, for who forgot the table."""
    return {
        leaf: f"{name}.{leaf}"
        for name, kind in _hints(Settings).items()
        if dataclasses.is_dataclass(kind)
        for leaf in _hints(cast("type", kind))
    }


def _near_choice(value: object, kind: Any) -> str:
    """A question for which of the fixed choices was probably meant, if any."""
    choices = [one for part in (kind, *typing.get_args(kind)) for one in _choices(part)]
    near = _near(value, choices) if isinstance(value, str) else []
    return f'did you mean "{near[0]}"?' if near else ""


def _near(name: str, known: Iterable[str]) -> list[str]:
    """The most similar name, if any is similar at all."""
    import difflib

    return difflib.get_close_matches(name, list(known), n=1)


def _choices(kind: Any) -> tuple[str, ...]:
    return typing.get_args(kind) if typing.get_origin(kind) is Literal else ()


def _shown(name: str, value: object) -> str:
    """`` = value`` for a message, unless it may hold a key or a password."""
    text = repr(value)
    if (
        name.startswith("api_key")
        or name in {"headers", "full_url"}
        or re.search("@|password", text)
    ):
        return ""
    return f" = {text if len(text) <= 60 else text[:59] + '…'}"


@cache
def _converter() -> Any:
    """A cattrs converter that refuses coercion: ``"false"`` is no boolean and ``1`` no string."""
    import cattrs

    converter = cattrs.Converter()
    for kind in (int, float, str, bool):
        converter.register_structure_hook(kind, partial(_exactly, kind))
    converter.register_structure_hook_func(_is_union, partial(_either, converter))
    converter.register_structure_hook_func(_is_tuple, partial(_listed, converter))
    return converter


def _exactly(kind: type, value: object, _: object) -> object:
    if type(value) is kind:
        return value
    if kind is float and type(value) is int:
        return float(value)
    message = f"{value!r} is not {kind.__name__}"
    raise TypeError(message)


def _either(converter: Any, value: object, kind: Any) -> object:
    for option in typing.get_args(kind):
        try:
            return converter.structure(value, option)
        except Exception:  # noqa: BLE001, S112 - the next option may fit
            continue
    message = f"{value!r} fits none of {kind}"
    raise TypeError(message)


def _listed(converter: Any, value: object, kind: Any) -> tuple[object, ...]:
    if value == {}:
        return ()  # an empty Lua table
    if not isinstance(value, (list, tuple)):
        message = f"{value!r} is not a list"
        raise TypeError(message)
    inner = typing.get_args(kind)[0]
    return tuple(converter.structure(one, inner) for one in cast("list[object]", value))


def _is_union(kind: Any) -> bool:
    return typing.get_origin(kind) in {typing.Union, types.UnionType}


def _is_tuple(kind: Any) -> bool:
    return typing.get_origin(kind) is tuple


def _described(kind: Any) -> str:
    """A type in words: ``"a whole number or "auto"``."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        return " or ".join(f'"{value}"' for value in arguments)
    if origin is tuple:
        return 'a list of texts, such as ["one", "two"]'
    if _is_union(kind):
        return " or ".join(_described(one) for one in arguments if one is not type(None))
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    return words.get(kind, str(kind))
