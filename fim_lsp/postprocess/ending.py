"""How the text ends: with whole lines, without blanks, and short enough to be read at a glance."""

from __future__ import annotations

from dataclasses import replace

from fim_lsp.postprocess.draft import Draft, rows

MAX_LINES = 40
"""What fits an editor's window. A person's max_tokens ends most answers sooner (128 tokens are
about 12 lines); cutting at 12 here would harm right answers of those who allow more."""
MAX_CHARS = 4_000
"""Editors' drawing gets slow, and nobody reads further."""


def drop_unfinished_line(draft: Draft) -> Draft:
    """Leave out the line that was still being written, unless it is the only one."""
    if draft.whole or (draft.complete and not draft.cut_off):
        return draft
    line = draft.text.rfind("\n")
    if line < 0 or not draft.text[:line].strip():
        return draft
    return replace(draft, text=draft.text[:line], reason="its last line is unfinished")


def cap(draft: Draft) -> Draft:
    """Show no more than a person takes in."""
    text = draft.text
    if text.count("\n") > MAX_LINES:
        end = -1
        for _ in range(MAX_LINES + 1):
            end = text.find("\n", end + 1)
        draft = draft.cut(end, "it is long", over=draft.over)
    if len(draft.text) > MAX_CHARS:
        line = draft.text.rfind("\n", 0, MAX_CHARS)
        draft = draft.cut(line if line > 0 else MAX_CHARS, "it is long", over=draft.over)
    return draft


def trim(draft: Draft) -> Draft:
    """Leave out blanks at the end, but for those that part the text from the rest of the line."""
    rest = draft.place.rest
    if not rest.strip():
        return replace(draft, text=draft.text.rstrip(" \t\n"))
    return draft if draft.text.strip() else replace(draft, text="")


def drop_copy_of_above(draft: Draft) -> Draft:
    """Show nothing where the text only says again what stands above."""
    place = draft.place
    if not place.blank or not place.above:
        return draft
    said = [(row.text, row.columns) for row in rows(draft)]
    above = [(line.text, line.columns) for line in place.above]
    if len(said) >= 2 and said[:2] == above[1::-1]:
        return replace(draft, text="", whole=True, over=True, reason="it repeats the lines above")
    run = place.above[0] in (*place.above[1:2], *place.below[:1])
    if len(said) == 1 and said[0] == above[0] and place.above[0].letters >= 10 and not run:
        return replace(draft, text="", reason="it repeats the line above")
    return draft
