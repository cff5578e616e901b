"""How prompts are laid out for each family of models, and what no document can do to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.providers import FimRequest, Snippet
from fim_lsp.providers.templates import TEMPLATES, Template, lay_out, template_for, without_marks

ASK = FimRequest(prompt="P", suffix="S", path="src/b.py")
WITH_SNIPPET = FimRequest(
    prompt="P",
    suffix="S",
    language="python",
    path="src/b.py",
    snippets=(Snippet(path="a.py", text="A\n"),),
)

LAID_OUT = {
    "qwen": (
        "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>",
        "<|file_sep|>a.py\nA\n<|file_sep|>src/b.py\n<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>",
    ),
    "starcoder": (
        "<fim_prefix>P<fim_suffix>S<fim_middle>",
        "<file_sep>a.py\nA\n<file_sep>src/b.py\n<fim_prefix>P<fim_suffix>S<fim_middle>",
    ),
    "codellama": ("<PRE> P <SUF>S <MID>", "<PRE> # Path: a.py\n# A\n\nP <SUF>S <MID>"),
    "deepseek": (
        "<｜fim▁begin｜>P<｜fim▁hole｜>S<｜fim▁end｜>",
        "<｜fim▁begin｜>#a.py\nA\n#src/b.py\nP<｜fim▁hole｜>S<｜fim▁end｜>",
    ),
    "codestral": ("[SUFFIX]S[PREFIX]P", "[SUFFIX]S[PREFIX]+++++ a.py\nA\n\n+++++ src/b.py\nP"),
    "codegemma": (
        "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>",
        "<|fim_prefix|># Path: a.py\n# A\n\nP<|fim_suffix|>S<|fim_middle|>",
    ),
    "seed-coder": (
        "<[fim-suffix]>S<[fim-prefix]>P<[fim-middle]>",
        "<[fim-suffix]>S<[fim-prefix]># Path: a.py\n# A\n\nP<[fim-middle]>",
    ),
    "granite": (
        "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>",
        "<|fim_prefix|># Path: a.py\n# A\n\nP<|fim_suffix|>S<|fim_middle|>",
    ),
    "mellum": (
        "<fim_suffix>S<fim_prefix>P<fim_middle>",
        "<filename>a.py\nA\n<filename>src/b.py\n<fim_suffix>S<fim_prefix>P<fim_middle>",
    ),
    "codegeex": (
        "<|user|>\n<|code_suffix|>S<|code_prefix|>P<|code_middle|><|assistant|>\n",
        (
            "<|user|>\n<|code_suffix|>S<|code_prefix|>"
            "# Path: a.py\n# A\n\nP<|code_middle|><|assistant|>\n"
        ),
    ),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_layout(name: str) -> None:
    alone, with_snippet = LAID_OUT[name]
    assert lay_out(TEMPLATES[name], ASK) == alone
    assert lay_out(TEMPLATES[name], WITH_SNIPPET) == with_snippet


MODELS = {
    "qwen2.5-coder:1.5b-base": "qwen",
    "Qwen/Qwen3-Coder-30B-A3B-Instruct": "qwen",
    "bigcode/starcoder2-7b": "starcoder",
    "stable-code:3b": "starcoder",
    "ibm-granite/granite-8b-code-base": "starcoder",
    "codellama:7b-code": "codellama",
    "deepseek-coder-v2:16b": "deepseek",
    "deepseek-ai/DeepSeek-Coder-V2-Lite-Base": "deepseek",
    "mistralai/Codestral-22B-v0.1": "codestral",
    "codegemma:2b": "codegemma",
    "ByteDance-Seed/Seed-Coder-8B-Base": "seed-coder",
    "granite3.3:8b": "granite",
    "ibm-granite/granite-4.0-h-small": "granite",
    "JetBrains/Mellum-4b-base": "mellum",
    "codegeex4:9b": "codegeex",
    "llama3.1:8b": None,
    "qwen3:8b": None,
    "gpt-4": None,
    "": None,
}


@pytest.mark.parametrize(("model", "name"), MODELS.items())
def test_the_family_of_a_model(model: str, name: str | None) -> None:
    assert template_for(model) is (TEMPLATES[name] if name else None)


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_what_holds_for_each(template: Template) -> None:
    assert set(template.stops) <= set(template.marks), "a stop is a mark of the family's own"
    assert 1 <= len(template.stops) <= 4, "OpenAI takes four"
    assert len(set(template.stops)) == len(template.stops)
    assert template.layout.count("{prefix}") == template.layout.count("{suffix}") == 1
    assert ("{files}" in template.layout) is bool(template.file) is bool(template.current)
    for mark in template.marks:
        assert without_marks(template, mark) not in template.marks
    used = template.layout.format(files="", prefix="", suffix="")
    for mark in template.marks:
        used = used.replace(mark, "")
    assert used.strip() == "", "whatever the layout adds is a mark"


@given(data=st.data(), name=st.sampled_from(sorted(TEMPLATES)))
def test_no_text_can_pose_as_a_mark(data: st.DataObject, name: str) -> None:
    """However marks are cut up and nested in a document, the model reads just its own."""
    template = TEMPLATES[name]
    parts = [*template.marks, *(mark[:-2] for mark in template.marks), "<", "|", ">", "a", " "]
    text = st.lists(st.sampled_from(parts), max_size=6).map("".join)
    request = FimRequest(
        prompt=data.draw(text),
        suffix=data.draw(text),
        path="b.py",
        snippets=(Snippet(path=data.draw(text), text=data.draw(text)),),
    )
    plain = FimRequest(prompt="", suffix="", path="b.py", snippets=(Snippet(path="", text=""),))
    laid_out, bare = lay_out(template, request), lay_out(template, plain)
    for mark in template.marks:
        assert laid_out.count(mark) == bare.count(mark)
