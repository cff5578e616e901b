"""How each family of models wants prefix and suffix laid out, for endpoints that do not do it.

A family's marks are tokens of its own. Where the document or a snippet holds one as text, it is
broken up: it would end the document there, or let a file pose as another.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fim_lsp.providers import FimRequest
from fim_lsp.providers.snippet_text import with_snippets


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One family's layout."""

    models: str
    """A pattern for the names of its models, in lower case."""
    layout: str
    """With ``{files}``, ``{prefix}`` and ``{suffix}``."""
    marks: tuple[str, ...]
    """Every text that its tokenizer reads as a token of its own and that means something here."""
    stops: tuple[str, ...]
    """Marks that end an answer, the surest first; at most four, as OpenAI allows."""
    file: str = ""
    """One snippet, with ``{path}`` and ``{text}``; empty where the family has no form for it."""
    current: str = ""
    """What names the document, with ``{path}``, behind snippets."""


_QWEN = Template(
    models=r"qwen.*coder|codeqwen",
    layout="{files}<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
    marks=(
        "<|fim_prefix|>",
        "<|fim_suffix|>",
        "<|fim_middle|>",
        "<|fim_pad|>",
        "<|repo_name|>",
        "<|file_sep|>",
        "<|endoftext|>",
        "<|im_start|>",
        "<|im_end|>",
    ),
    stops=("<|endoftext|>", "<|file_sep|>", "<|fim_pad|>", "<|im_end|>"),
    file="<|file_sep|>{path}\n{text}\n",
    current="<|file_sep|>{path}\n",
)
_STARCODER = Template(
    models=r"star-?coder|stable-?code|granite.*code|refact",
    layout="{files}<fim_prefix>{prefix}<fim_suffix>{suffix}<fim_middle>",
    marks=(
        "<fim_prefix>",
        "<fim_suffix>",
        "<fim_middle>",
        "<fim_pad>",
        "<repo_name>",
        "<file_sep>",
        "<|endoftext|>",
    ),
    stops=("<|endoftext|>", "<file_sep>", "<fim_prefix>", "<fim_pad>"),
    file="<file_sep>{path}\n{text}\n",
    current="<file_sep>{path}\n",
)
_CODELLAMA = Template(
    models=r"code-?llama",
    layout="<PRE> {prefix} <SUF>{suffix} <MID>",  # the blanks belong to the marks
    marks=("<PRE>", "<SUF>", "<MID>", "<EOT>"),
    stops=("<EOT>", "<PRE>", "<SUF>", "<MID>"),
)
_DEEPSEEK = Template(
    models=r"deepseek.*coder",
    layout="<｜fim▁begin｜>{files}{prefix}<｜fim▁hole｜>{suffix}<｜fim▁end｜>",
    marks=("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", "<｜end▁of▁sentence｜>"),
    stops=("<｜end▁of▁sentence｜>", "<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
    file="#{path}\n{text}\n",
    current="#{path}\n",
)
_CODESTRAL = Template(
    models=r"codestral",
    layout="[SUFFIX]{suffix}[PREFIX]{files}{prefix}",  # there is no mark for the middle
    marks=("[PREFIX]", "[SUFFIX]", "[MIDDLE]", "</s>"),
    stops=("</s>", "[PREFIX]", "[SUFFIX]"),
    file="+++++ {path}\n{text}\n\n",
    current="+++++ {path}\n",
)
_CODEGEMMA = Template(
    models=r"code-?gemma",
    layout="<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
    marks=(
        "<|fim_prefix|>",
        "<|fim_suffix|>",
        "<|fim_middle|>",
        "<|file_separator|>",
        "<end_of_turn>",
        "<eos>",
    ),
    stops=("<|file_separator|>", "<eos>", "<end_of_turn>", "<|fim_prefix|>"),
)
_SEED = Template(
    models=r"seed-?coder",
    layout="<[fim-suffix]>{suffix}<[fim-prefix]>{prefix}<[fim-middle]>",
    marks=("<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>", "<[end▁of▁sentence]>"),
    stops=("<[end▁of▁sentence]>", "<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"),
)
_GRANITE = Template(
    models=r"granite-?(3\.[3-9]|[4-9])",
    layout="<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>",
    marks=("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>", "<|end_of_text|>"),
    stops=("<|end_of_text|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_pad|>"),
)
_MELLUM = Template(
    models=r"mellum",
    layout="{files}<fim_suffix>{suffix}<fim_prefix>{prefix}<fim_middle>",
    marks=("<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<filename>", "<|endoftext|>"),
    stops=("<|endoftext|>", "<filename>", "<fim_prefix>", "<fim_suffix>"),
    file="<filename>{path}\n{text}\n",
    current="<filename>{path}\n",
)
_CODEGEEX = Template(
    models=r"codegeex",
    layout="<|user|>\n<|code_suffix|>{suffix}<|code_prefix|>{prefix}<|code_middle|><|assistant|>\n",
    marks=(
        "<|user|>",
        "<|assistant|>",
        "<|observation|>",
        "<|code_prefix|>",
        "<|code_suffix|>",
        "<|code_middle|>",
        "<|endoftext|>",
    ),
    stops=("<|endoftext|>", "<|user|>", "<|assistant|>", "<|observation|>"),
)

TEMPLATES: dict[str, Template] = {
    "qwen": _QWEN,
    "starcoder": _STARCODER,
    "codellama": _CODELLAMA,
    "deepseek": _DEEPSEEK,
    "codestral": _CODESTRAL,
    "codegemma": _CODEGEMMA,
    "seed-coder": _SEED,
    "granite": _GRANITE,
    "mellum": _MELLUM,
    "codegeex": _CODEGEEX,
}
"""By the name that the setting ``template`` takes."""


def template_for(model: str) -> Template | None:
    """The template of the family that a model's name belongs to; None where it is not known."""
    name = model.lower()
    return next((one for one in TEMPLATES.values() if re.search(one.models, name)), None)


def lay_out(template: Template, request: FimRequest) -> str:
    """The whole prompt: the snippets, as comments where a family has no form for files, and it."""
    if not template.file:
        request = with_snippets(request, "")
    snippets = request.snippets
    files = "".join(
        template.file.format(
            path=without_marks(template, one.path), text=without_marks(template, one.text.rstrip())
        )
        for one in snippets
    )
    if snippets:
        path = without_marks(template, request.path or "untitled")
        files += template.current.format(path=path)
    return template.layout.format(
        files=files,
        prefix=without_marks(template, request.prompt),
        suffix=without_marks(template, request.suffix),
    )


def without_marks(template: Template, text: str) -> str:
    """``text`` with a blank in each mark that it holds, so that it is text to the model too."""
    pattern = "|".join(map(re.escape, template.marks))
    return re.sub(pattern, lambda found: f"{found[0][0]} {found[0][1:]}", text)
