"""Which language a cursor is in where one document holds several."""

from __future__ import annotations

import pytest

from fim_lsp.embedded import embedded
from fim_lsp.place import place
from tests.cursor import at

CASES = {
    "a fence": ("markdown", "text\n\n```py\ndef f():\n    ║\n```\n", "python"),
    "a fence of tildes": ("markdown", "~~~ {.rust}\n║\n~~~\n", "rust"),
    "a fence in a list": ("markdown", "- a\n  ```ts\n  ║\n  ```\n", "typescript"),
    "its language is not known": ("markdown", "```console\n║\n```\n", None),
    "it names none": ("markdown", "```\n║\n```\n", None),
    "its end is to be written": ("markdown", "```py\n║\n\nText.\n", None),
    "another begins below": ("markdown", "```py\n║\n\n```js\n```\n", None),
    "behind a fence": ("markdown", "```py\n1\n```\n║\n```\n", None),
    "a window that begins in a fence": ("markdown", "1\n```\n\n```js\n║\n```\n", "javascript"),
    "a longer fence holds a shorter one": ("markdown", "````js\n```\n║\n````\n", "javascript"),
    "a script": ("html", '<script src="a">\n  ║\n</script>\n', "javascript"),
    "a module": ("html", '<script type="module">\n  ║\n</script>\n', "javascript"),
    "data": ("html", '<script type="application/json">\n║\n</script>\n', "json"),
    "a template": ("html", '<script type="text/x-template">\n║\n</script>\n', None),
    "a component's script": ("vue", '<script setup lang="ts">\n║\n</script>\n', "typescript"),
    "a style": ("html", "<style>\n  ║\n</style>\n", "css"),
    "a component's style": ("svelte", '<style lang="scss">\n║\n</style>\n', "scss"),
    "behind a script": ("html", "<script>\n</script>\n║\n<p></p>\n", None),
    "on the tag's own line": ("html", "<script>║</script>\n", None),
    "a tag in a script's text is elsewhere": ("javascript", "a = '<style>'\n║\n", None),
}


@pytest.mark.parametrize(("language", "document", "found"), CASES.values(), ids=CASES.keys())
def test_language_at_the_cursor(language: str, document: str, found: str | None) -> None:
    part = embedded(at(document, language=language))
    assert (part.language if part else None) == found


def test_brackets_of_the_text_around_say_nothing() -> None:
    here = place(at("A smile :( and\n\n```js\nfoo(║\n```\n\n:) )\n", language="markdown"))
    assert [one.char for one in here.open] == ["("]
    assert not here.closing
    assert here.sees_end
    assert [line.text for line in here.below] == ["```", ":) )"]
