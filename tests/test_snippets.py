"""What other files add to a prompt: the right pieces, within the budget, and never a secret."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fim_lsp.document import Document
from fim_lsp.settings import ContextSettings
from fim_lsp.snippets.supply import LEAST_OWN_TOKENS, OWN_SHARE, Snippets, Supply
from fim_lsp.workspace import language_of
from tests.cursor import CURSOR
from tests.editor import Editor, editing
from tests.endpoint import Endpoint, Reply
from tests.patience import PATIENCE_S, until
from tests.test_secrets import SECRETS

TOKENS, CHARS_PER_TOKEN = 800, 3.0
STORE = '''\
class Store:
    """Keeps parcels."""

    def __init__(self, shelf_count: int) -> None:
        self.shelves = [[] for _ in range(shelf_count)]

    def put_away(self, parcel: "Parcel", *, shelf_number: int) -> None:
        """Put a parcel onto a shelf."""
        self.shelves[shelf_number].append(parcel)
'''
DESK = "from shop.store import Store\n\n\ndef receive(store: Store, parcel):\n    store.║\n"


@dataclass
class Project:
    """A workspace on disk, with a supply that has read it."""

    root: Path
    snippets: Snippets

    def uri(self, path: str) -> str:
        return (self.root / path).as_uri()

    def open(self, path: str, text: str) -> None:
        self.snippets.opened(self.uri(path), language_of(path), text)

    async def supply(self, path: str, marked: str, *, tokens: int = TOKENS) -> Supply:
        """What goes before the prompt at a marked cursor."""
        before, _, after = marked.partition(CURSOR)
        document = Document(self.uri(path), language_of(path), None, before + after)
        line = before.count("\n")
        context = document.context(line, len(before) - before.rfind("\n") - 1)
        self.open(path, document.text)
        chars, rate = int(tokens * CHARS_PER_TOKEN), CHARS_PER_TOKEN
        self.snippets.look(context, line, max_chars=chars, chars_per_token=rate)
        await self.snippets.settle(context.uri, 10)
        return self.snippets.gather(context, max_chars=chars, chars_per_token=rate)

    async def shown(self, path: str, marked: str, *, tokens: int = TOKENS) -> str:
        """All snippets as one text."""
        supply = await self.supply(path, marked, tokens=tokens)
        return "\n".join(f"+++++ {one.path}\n{one.text}" for one in supply.snippets)

    async def indexed(self) -> None:
        await until(lambda: not self.snippets.is_indexing)


def write(root: Path, files: Mapping[str, str | bytes]) -> None:
    root.mkdir(exist_ok=True)
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)


@asynccontextmanager
async def project(
    root: Path, files: Mapping[str, str | bytes], **settings: Any
) -> AsyncGenerator[Project]:
    write(root, files)
    made = Project(root, Snippets(ContextSettings(**settings), [root]))
    made.snippets.start()
    try:
        await made.indexed()
        yield made
    finally:
        made.snippets.close()


# -- what is found ---------------------------------------------------------------------------------


async def test_what_an_imported_class_offers_is_shown(tmp_path: Path) -> None:
    async with project(tmp_path / "w", {"shop/store.py": STORE}) as p:
        shown = await p.shown("shop/desk.py", DESK)
    assert "+++++ shop/store.py" in shown
    assert "class Store" in shown
    assert "def put_away(self, parcel" in shown
    assert "shelf_number" in shown


async def test_what_the_window_shows_is_not_said_again(tmp_path: Path) -> None:
    async with project(tmp_path / "w", {"shop/store.py": STORE}) as p:
        shown = await p.shown("shop/desk.py", STORE + "\nstore = Store(2)\nstore.║\n")
    assert "put_away" not in shown


async def test_the_rest_of_a_long_file_is_a_source_too(tmp_path: Path) -> None:
    filler = "".join(f"def nothing_{n}():\n    return {n}\n\n\n" for n in range(200))
    text = f"PARCEL_LIMIT = 12\n\n\n{filler}def accept(parcel):\n    return parcel < PARCEL_║\n"
    async with project(tmp_path / "w", {"b.py": "x = 1\n"}) as p:
        shown = await p.shown("a.py", text)
    assert "PARCEL_LIMIT" in shown


async def test_what_has_no_room_for_its_signature_is_named_alone(tmp_path: Path) -> None:
    heads = "".join(
        f"    def weigh_{n}(self, parcel_{n}: int) -> list[int]: ...\n" for n in range(90)
    )
    files = {"shop/scale.py": f"import os\nclass Scale:\n{heads}\nlen(os.x)\n"}
    async with project(tmp_path / "w", files) as p:
        shown = await p.shown("desk.py", "from shop.scale import Scale\nscale = Scale()\nscale.║\n")
    *signatures, names = shown.split("\n")
    assert "    def weigh_0(self, parcel_0: int) -> list[int]" in signatures
    assert names.startswith("# also: ")
    assert set(names.removeprefix("# also: ").split(", ")) > {"weigh_40", "weigh_50"}
    assert "len" not in names.split(", ")


async def test_few_names_leave_the_room_to_signatures(tmp_path: Path) -> None:
    text = "x" * 60
    heads = "".join(f"def weigh_{n}(p: {text}, q: {text}): ...\n" for n in range(12))
    async with project(tmp_path / "w", {"scale.py": heads}) as p:
        supply = await p.supply("desk.py", "import scale\nscale.║\n" + "pass\n" * 500, tokens=1500)
    assert supply.chars > 1500 * CHARS_PER_TOKEN / 3 * 0.8
    assert supply.snippets[0].text.count(text) >= 12


MODES: dict[str, tuple[dict[str, Any], bool, bool]] = {
    "off": ({"snippets": "off"}, False, False),
    "open documents only": ({"snippets": "open"}, True, False),
    "the workspace": ({}, True, True),
    "off for one language": ({"snippets_by_language": ("python: off",)}, False, False),
    "another language's mode": ({"snippets_by_language": ("c: off",)}, True, True),
    "more for one language": (
        {"snippets": "off", "snippets_by_language": ("python: workspace",)},
        True,
        True,
    ),
}


@pytest.mark.parametrize(("settings", "opened", "found"), MODES.values(), ids=MODES.keys())
async def test_the_mode_says_whose_pieces_are_sent(
    tmp_path: Path, settings: dict[str, Any], opened: bool, found: bool
) -> None:
    files = {"shop/store.py": STORE, "shop/scale.py": "def weigh(parcel, unit_of_weight): ...\n"}
    async with project(tmp_path / "w", files, **settings) as p:
        p.open("shop/scale.py", "def weigh(parcel, unit_of_weight): ...\n")
        shown = await p.shown("shop/desk.py", DESK)
    assert ("unit_of_weight" in shown) is opened
    assert ("put_away" in shown) is found


async def test_a_closed_document_is_taken_back_at_once(tmp_path: Path) -> None:
    async with project(tmp_path / "w", {"shop/scale.py": "x = 1\n"}, snippets="open") as p:
        p.open("shop/scale.py", "def weigh(parcel, unit_of_weight): ...\n")
        supply = await p.supply("shop/desk.py", DESK)
        assert "unit_of_weight" in supply.snippets[0].text
        p.snippets.closed(p.uri("shop/scale.py"))
        before, _, after = DESK.partition(CURSOR)
        context = Document(p.uri("shop/desk.py"), "python", None, before + after).context(4, 10)
        assert p.snippets.gather(context, max_chars=2400, chars_per_token=3.0) == Supply()


async def test_changes_on_disk_are_taken_in(tmp_path: Path) -> None:
    async with project(tmp_path / "w", {"shop/store.py": STORE}) as p:
        assert "put_away" in await p.shown("shop/desk.py", DESK)
        write(p.root, {"shop/store.py": STORE.replace("put_away", "store_parcel")})
        p.snippets.files_changed([p.uri("shop/store.py")])
        await p.indexed()
        shown = await p.shown("shop/desk2.py", DESK)
        assert "store_parcel" in shown
        assert "put_away" not in shown
        (p.root / "shop/store.py").unlink()
        p.snippets.files_changed([p.uri("shop/store.py")])
        await p.indexed()
        assert "store_parcel" not in await p.shown("shop/desk3.py", DESK)


async def test_a_place_nearby_keeps_its_snippets(tmp_path: Path) -> None:
    async with project(tmp_path / "w", {"shop/store.py": STORE}) as p:
        first = await p.supply("shop/desk.py", DESK)
        typed = DESK.replace("║", "put_away(parcel, shelf_number=1)\n    print(store)\n    store.║")
        assert await p.supply("shop/desk.py", typed) == first


# -- the budget ------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokens", [300, 500, 700, 1000, 1500, 3000])
async def test_the_document_itself_keeps_two_thirds(tmp_path: Path, tokens: int) -> None:
    files = {
        f"lib/part_{n}.py": "".join(f"def use_{n}_{m}(argument_{m}): ...\n" for m in range(60))
        for n in range(5)
    }
    imports = "".join(f"from lib.part_{n} import use_{n}_0\n" for n in range(5))
    own = "".join(f"value_{n} = compute_{n}(argument_{n})\n" for n in range(400))
    async with project(tmp_path / "w", files) as p:
        supply = await p.supply("main.py", f"{imports}{own}use_1_║\n", tokens=tokens)
    own_tokens = tokens - supply.chars / CHARS_PER_TOKEN
    assert own_tokens >= min(tokens, max(LEAST_OWN_TOKENS, tokens * OWN_SHARE)) - 1
    assert bool(supply.snippets) is (tokens > 600)


async def test_snippets_shrink_first(tmp_path: Path) -> None:
    files = {"lib/part.py": "".join(f"def use_{n}(argument_{n}): ...\n" for n in range(99))}
    own = "".join(f"value_{n} = compute_{n}(argument_{n})\n" for n in range(400))
    async with project(tmp_path / "w", files) as p:
        marked = f"from lib.part import use_1\n{own}use_║\n"
        full = await p.supply("main.py", marked, tokens=1500)
        half = await p.supply("main.py", marked, tokens=800)
        none = await p.supply("main.py", marked, tokens=500)
    assert full.chars > half.chars > none.chars == 0
    assert half.snippets[0].path == full.snippets[0].path


# -- what is never sent ----------------------------------------------------------------------------

PLANTED = "Zk4hQ8sXw2"
NEVER: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "an environment file": ({".env": "{}"}, {}),
    "a key": ({"server.key": "{}"}, {}),
    "what git ignores": ({".gitignore": "gen.py\n", "gen.py": "{}"}, {}),
    "a folder that git ignores": ({".gitignore": "build/\n", "build/a.py": "{}"}, {}),
    "a deeper ignore file": ({"lib/.gitignore": "*\n", "lib/a.py": "{}"}, {}),
    "what the settings exclude": ({"private/a.py": "{}"}, {"exclude": ("private/",)}),
    "git's own files": ({".git/a.py": "{}"}, {}),
    "credentials": ({"aws_credentials.py": "{}"}, {}),
    "a binary": ({"a.py": "\0{}"}, {}),
    "over a megabyte": ({"a.py": "{}" + "#" * 1_000_000}, {}),
}
LEAK = f"class Store:\n    def put_away(self, {PLANTED}): ...\n"


@pytest.mark.parametrize(("files", "settings"), NEVER.values(), ids=NEVER.keys())
async def test_never_read_and_never_sent(
    tmp_path: Path, files: dict[str, str], settings: dict[str, Any]
) -> None:
    (tmp_path / "w" / ".git").mkdir(parents=True)
    written = {path: text.replace("{}", LEAK) for path, text in files.items()}
    async with project(tmp_path / "w", written, **settings) as p:
        for path, text in written.items():
            p.open(path, text)  # not even where it is open
        marked = "".join(f"from {Path(path).stem} import Store\n" for path in written)
        assert PLANTED not in await p.shown("desk.py", f"{marked}\nstore = Store()\nstore.║\n")
        assert not p.snippets.index.declaring("put_away")


async def test_links_out_of_the_workspace_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(outside, {"store.py": LEAK})
    root = tmp_path / "w"
    root.mkdir()
    (root / "store.py").symlink_to(outside / "store.py")
    (root / "linked").symlink_to(outside)
    async with project(root, {}) as p:
        p.open("store.py", LEAK)
        p.open("linked/store.py", LEAK)
        assert PLANTED not in await p.shown("desk.py", "from store import Store\nStore().║\n")
        assert len(p.snippets.index) == 0


async def test_a_file_replaced_by_a_link_is_not_read(tmp_path: Path) -> None:
    write(tmp_path / "outside", {"store.py": LEAK})
    async with project(tmp_path / "w", {"store.py": STORE}) as p:
        (p.root / "store.py").unlink()
        (p.root / "store.py").symlink_to(tmp_path / "outside" / "store.py")
        assert PLANTED not in await p.shown("desk.py", "from store import Store\nStore().║\n")


async def test_what_becomes_ignored_is_taken_back(tmp_path: Path) -> None:
    async with project(tmp_path / "w", {"store.py": STORE}) as p:
        marked = "from store import Store\nStore().║\n"
        assert "put_away" in await p.shown("desk.py", marked)
        write(p.root, {".gitignore": "store.py\n"})
        p.snippets.files_changed([p.uri(".gitignore")])
        await p.indexed()
        assert "put_away" not in await p.shown("desk.py", marked)


async def test_a_file_changed_on_the_disk_is_sent_as_it_is_now(tmp_path: Path) -> None:
    async with project(tmp_path / "w", {"shop/store.py": STORE}) as p:
        assert "put_away" in await p.shown("shop/desk.py", DESK)
        write(p.root, {"shop/store.py": STORE.replace("put_away", "stow_away")})
        p.snippets.files_changed([p.uri("shop/store.py")])
        await p.indexed()
        assert "stow_away" in await p.shown("shop/desk.py", DESK)


async def test_planted_secrets_are_cut_out(tmp_path: Path) -> None:
    """Each kind of secret, in a file that is imported, open or edited right now."""
    assert len(SECRETS) >= 30
    files: dict[str, str] = {}
    for number, (text, secret) in enumerate(SECRETS.values()):
        planted = f"def use_{number}(store):\n    pass\n\n\n{text.format(secret)}"
        files[f"lib/part_{number}.py"] = f"{planted}\nSTORE_{number} = use_{number}\n"
    async with project(tmp_path / "w", files) as p:
        for number, (_, secret) in enumerate(SECRETS.values()):
            path = f"lib/part_{number}.py"
            name = "aws" if number % 2 else "use"
            marked = f"from lib.part_{number} import use_{number}\n{name}_║\nkey = value\n"
            closed = await p.shown(f"a{number}.py", marked, tokens=3000)
            p.open(path, files[path])
            for line in range(4, files[path].count("\n"), 3):
                p.snippets.edited(p.uri(path), line)
            opened = await p.shown(f"b{number}.py", marked, tokens=3000)
            assert f"use_{number}" in closed
            assert f"use_{number}" in opened
            for line in secret.split("\n"):
                assert line not in closed + opened
            p.snippets.closed(p.uri(path))


# -- through the server ----------------------------------------------------------------------------


async def asked_until(e: Editor, endpoint: Endpoint, wanted: str) -> str:
    """Type and ask until a prompt holds ``wanted``; that prompt."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            await e.ask(kind=1)
            prompt: str = endpoint.calls[-1].body["prompt"] if endpoint.calls else ""
            if wanted in prompt:
                return prompt
            e.type("x")
            await asyncio.sleep(0.05)


def folder(root: Path) -> dict[str, Any]:
    return {"uri": root.as_uri(), "name": root.name}


async def test_the_server_sends_them_and_follows_the_disk(tmp_path: Path) -> None:
    root, other = tmp_path / "w", tmp_path / "other"
    write(root, {"shop/store.py": STORE})
    write(other, {"shop/scale.py": "class Scale:\n    def weigh_all(self, parcels): ...\n"})
    watched = {"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}}}
    hello = {"rootUri": root.as_uri(), "workspaceFolders": [folder(root)], "capabilities": watched}
    async with (
        Endpoint(Reply(text="put_away(parcel)")) as endpoint,
        editing(tmp_path, endpoint.settings(), initialize=hello) as e,
    ):
        e.open(DESK, uri=(root / "shop/desk.py").as_uri())
        prompt = await asked_until(e, endpoint, "put_away")
        assert prompt.startswith("+++++ shop/store.py\nclass Store")
        assert "\n\n+++++ shop/desk.py\nfrom shop.store import Store" in prompt
        assert endpoint.calls[-1].body["stop"] == ["\n+++++ "]

        write(root, {"shop/store.py": STORE.replace("put_away", "stow_away")})
        change = {"uri": (root / "shop/store.py").as_uri(), "type": 2}
        e.client.notify("workspace/didChangeWatchedFiles", {"changes": [change]})
        e.open(DESK, uri=(root / "shop/second.py").as_uri())
        assert "put_away" not in await asked_until(e, endpoint, "stow_away")

        event = {"added": [folder(other)], "removed": [folder(root)]}
        e.client.notify("workspace/didChangeWorkspaceFolders", {"event": event})
        scaled = DESK.replace("store", "scale").replace("Store", "Scale")
        e.open(scaled, uri=(other / "shop/third.py").as_uri())
        assert "stow_away" not in await asked_until(e, endpoint, "weigh_all")
        assert not endpoint.violations


NAMED: dict[str, tuple[str, Callable[[str], dict[str, Any]]]] = {
    "with what means something in an address": (
        "c# 100%41 what?",
        lambda uri: {"workspaceFolders": [{"uri": uri, "name": "w"}]},
    ),
    "by a client that knows only one": (
        "w",
        lambda uri: {"rootUri": uri, "workspaceFolders": None},
    ),
}


@pytest.mark.parametrize(("name", "said"), NAMED.values(), ids=NAMED)
async def test_the_folder_may_be_named(
    tmp_path: Path, name: str, said: Callable[[str], dict[str, Any]]
) -> None:
    root = tmp_path / name
    write(root, {"shop/store.py": STORE})
    async with (
        Endpoint(Reply(text="put_away(parcel)")) as endpoint,
        editing(tmp_path, endpoint.settings(), initialize=said(root.as_uri())) as e,
    ):
        e.open(DESK, uri=(root / "shop/desk.py").as_uri())
        assert "+++++ shop/store.py\n" in await asked_until(e, endpoint, "put_away")


@pytest.mark.parametrize("can_register", [True, False])
async def test_the_editor_is_asked_to_tell_of_changed_files(
    tmp_path: Path, can_register: bool
) -> None:
    watched = {"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": can_register}}}
    async with editing(tmp_path, 'provider = "local"', initialize={"capabilities": watched}) as e:
        e.open("x║\n")
        await e.ask()
        asked = [said for method, said in e.told if method == "client/registerCapability"]
    registrations = [one for said in asked for one in said["registrations"]]
    files = [one for one in registrations if one["method"] == "workspace/didChangeWatchedFiles"]
    assert len(files) == can_register
    for one in files:
        globs = [watcher["globPattern"] for watcher in one["registerOptions"]["watchers"]]
        assert "**/.gitignore" in globs
        endings = globs[0].removeprefix("**/*.{").removesuffix("}").split(",")
        assert {"py", "ts", "go", "h"} <= set(endings)


async def test_the_server_follows_files_made_deleted_and_ignored(tmp_path: Path) -> None:
    root = tmp_path / "w"
    write(root, {"shop/other.py": "x = 1\n"})
    hello = {"rootUri": root.as_uri(), "workspaceFolders": [folder(root)]}

    async with (
        Endpoint(Reply(text="put_away(parcel)")) as endpoint,
        editing(tmp_path, endpoint.settings(), initialize=hello) as e,
    ):

        def told(path: str, kind: int) -> None:
            change = {"uri": (root / path).as_uri(), "type": kind}
            e.client.notify("workspace/didChangeWatchedFiles", {"changes": [change]})

        e.open(DESK, uri=(root / "shop/desk.py").as_uri())
        write(root, {"shop/store.py": STORE})
        told("shop/store.py", 1)
        await asked_until(e, endpoint, "put_away")

        (root / "shop/store.py").unlink()
        write(root, {"shop/second/store.py": STORE.replace("put_away", "stow_away")})
        told("shop/store.py", 3)
        told("shop/second/store.py", 1)
        assert "put_away" not in await asked_until(e, endpoint, "stow_away")

        write(root, {".gitignore": "second/\n", "shop/store.py": STORE.replace("put", "lay")})
        told(".gitignore", 1)
        told("shop/store.py", 1)
        assert "stow_away" not in await asked_until(e, endpoint, "lay_away")
        assert not endpoint.violations


async def test_the_test_beside_a_file_is_shown(tmp_path: Path) -> None:
    files = {
        "shop/store.py": STORE,
        "tests/test_store.py": "def make_full_store(shelf_count=3): ...\n",
        **{f"tests/test_{n}.py": "def something_else(): ...\n" for n in range(5)},
    }
    async with project(tmp_path / "w", files) as p:
        shown = await p.shown("shop/store.py", f"{STORE}\nmake_║\n")
    assert "+++++ tests/test_store.py\ndef make_full_store(shelf_count=3)" in shown


async def test_code_like_the_cursor_s_is_shown(tmp_path: Path) -> None:
    like = "def route_{0}(app):\n    app.register('{0}', weigh_{0}, timeout_ms=LONG_WAIT)\n"
    files = {f"routes/r{n}.py": like.format(f"r{n}") for n in range(3)}
    files |= {f"lib/l{n}.py": f"def nothing_{n}(): ...\n" for n in range(9)}
    async with project(tmp_path / "w", files) as p:
        shown = await p.shown("routes/new.py", "def route_new(app):\n    app.register('new', ║\n")
    assert "timeout_ms=LONG_WAIT" in shown
    assert "nothing_" not in shown


FAR = "".join(f"        print({n})\n" for n in range(20))
THROUGH: dict[str, str] = {
    "a base class": f"class Desk(Store):\n    def receive(self, parcel):\n{FAR}        self.║\n",
    "a parameter's type": f"def receive(store: Store, parcel):\n{FAR}        store.║\n",
    "a value": f"def receive(parcel):\n        till = Store(2)\n{FAR}        till.║\n",
}


@pytest.mark.parametrize("code", THROUGH.values(), ids=THROUGH.keys())
async def test_what_a_class_handed_on_by_a_package_offers_is_shown(
    tmp_path: Path, code: str
) -> None:
    """The class is named only far above the cursor, and imported from where it is not declared."""
    files = {"shop/__init__.py": "from .store import Store\n", "shop/store.py": STORE}
    async with project(tmp_path / "w", files) as p:
        shown = await p.shown("desk.py", f"from shop import Store\n\n\n{code}")
    assert "+++++ shop/store.py" in shown
    assert "def put_away(self, parcel" in shown
