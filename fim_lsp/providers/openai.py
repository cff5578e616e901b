"""OpenAI's ``/completions``, as vLLM, TGI, LM Studio and many hosts serve it.

Few of them fill in the middle by a ``suffix``, and some ignore one without a word. So the prompt
is laid out here, by the template of the model's family, unless ``template = "suffix"`` is set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fim_lsp.errors import SettingError
from fim_lsp.providers import FimRequest
from fim_lsp.providers.http import Dialect, HttpProvider
from fim_lsp.providers.parameters import sampling
from fim_lsp.providers.reading import read_choice
from fim_lsp.providers.snippet_text import with_snippets
from fim_lsp.providers.templates import TEMPLATES, Template, lay_out, template_for
from fim_lsp.settings import Settings

BY_SUFFIX = "suffix"
"""The value of ``template`` for an endpoint that takes prefix and suffix apart."""
MAX_STOPS = 4


def parameters(request: FimRequest, settings: Settings) -> dict[str, Any]:
    """What every request of this kind carries beside its prompt."""
    wanted = sampling(request, settings.request)
    wanted.pop("min_tokens", None)  # OpenAI has none
    if (seed := wanted.pop("random_seed", None)) is not None:
        wanted["seed"] = seed
    return {"model": settings.effective_model, "stream": settings.request.stream, **wanted}


def by_suffix(request: FimRequest, settings: Settings) -> dict[str, Any]:
    """The body for an endpoint that lays the prompt out itself."""
    request = with_snippets(request, settings.effective_model)
    body = {"prompt": request.prompt, "suffix": request.suffix}
    return parameters(request, settings) | body


def by_template(template: Template) -> Callable[[FimRequest, Settings], dict[str, Any]]:
    """The body with a prompt that is laid out for the model's family."""

    def payload(request: FimRequest, settings: Settings) -> dict[str, Any]:
        body = parameters(request, settings)
        stops = dict.fromkeys((*body.get("stop", ()), *template.stops))
        return body | {"prompt": lay_out(template, request), "stop": list(stops)[:MAX_STOPS]}

    return payload


def chosen_template(settings: Settings) -> Template | None:
    """The template for these settings; None for ``suffix``. Raises ``SettingError``."""
    name, model = settings.template, settings.effective_model
    if name == BY_SUFFIX:
        return None
    if not model:
        message = (
            f"provider = {settings.effective_provider!r} needs a model: set model to its name."
        )
        raise SettingError(message)
    found = template_for(model) if name is None else TEMPLATES.get(name)
    if found is None:
        known = ", ".join([*TEMPLATES, BY_SUFFIX])
        message = f"How {name or model!r} fills in the middle is not known: set template ({known})."
        raise SettingError(message)
    return found


def connect(settings: Settings) -> HttpProvider:
    """The provider for these settings. Raises ``SettingError``."""
    template = chosen_template(settings)
    dialect = Dialect(
        name="openai",
        path="/completions",
        payload=by_template(template) if template else by_suffix,
        read=read_choice,
        needs_key=False,
    )
    return HttpProvider(dialect, settings)
