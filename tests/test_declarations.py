"""What a file declares and imports, for each family of languages, as tables."""

from __future__ import annotations

import pytest

from fim_lsp.snippets.declarations import MAX_DECLARATIONS, MAX_HEAD_CHARS, declarations
from fim_lsp.snippets.imports import MAX_IMPORTS, Import, imports, module_path, resolve

DECLARED: dict[str, tuple[str, list[str]]] = {
    "python": (
        '''\
LIMIT = 12
async def fetch(url: str, *, tries: int = 3) -> bytes:
    """Get it."""
    local = 1
    helper(local)
class Store(Base, kind="x"):
    size: int = 0
    @property
    def full(
        self,
        much: int,
    ) -> bool:
        self.count = 3
''',
        [
            "0 LIMIT | LIMIT = 12",
            "0 fetch | async def fetch(url: str, *, tries: int = 3) -> bytes",
            '0 Store | class Store(Base, kind="x")',
            "4 size | size: int = 0",
            "4 full | def full(self, much: int) -> bool",
            "8 count | self.count = 3",
        ],
    ),
    "typescript": (
        """\
export const LIMIT = 12
export async function fetchAll<T>(urls: string[], opts: { tries: number }): Promise<T[]> {
  const local = 1
  helper(local)
}
export default abstract class Store<T> extends Base<T> implements Keeps {
  private readonly shelves: Shelf[] = []
  async putAway(parcel: T, shelf?: number): Promise<void> {
    if (shelf) { this.go() }
    return await store(parcel)
  }
  onOpen = (event: Event) => { run() }
}
export interface Shelf {
  label: string
  weigh(parcel: Parcel): number
}
export type Id = string | number
""",
        [
            "0 LIMIT | export const LIMIT = 12",
            (
                "0 fetchAll | export async function fetchAll<T>(urls: string[], "
                "opts: { tries: number }): Promise<T[]>"
            ),
            "0 Store | export default abstract class Store<T> extends Base<T> implements Keeps",
            "2 shelves | private readonly shelves: Shelf[] = []",
            "2 putAway | async putAway(parcel: T, shelf?: number): Promise<void>",
            "2 onOpen | onOpen = (event: Event)",
            "0 Shelf | export interface Shelf",
            "2 label | label: string",
            "2 weigh | weigh(parcel: Parcel): number",
            "0 Id | export type Id = string | number",
        ],
    ),
    "go": (
        (
            'type Store struct {\n\tShelves []Shelf `json:"x"`\n\tcount   int\n}\n'
            "func (s *Store) PutAway(parcel Parcel, shelf int) error {\n\treturn nil\n}\n"
        ),
        [
            "0 Store | type Store struct",
            '1 Shelves | Shelves []Shelf `json:"x"`',
            "0 PutAway | func (s *Store) PutAway(parcel Parcel, shelf int) error",
        ],
    ),
    "rust": (
        """\
pub const LIMIT: usize = 12;
pub struct Store<T> {
    pub shelves: Vec<T>,
    count: usize,
}
impl<T> Store<T> {
    pub async fn put_away(&mut self, parcel: T) -> Result<(), Error> {
        let local = 1;
    }
}
""",
        [
            "0 LIMIT | pub const LIMIT: usize = 12",
            "0 Store | pub struct Store<T>",
            "4 shelves | pub shelves: Vec<T>",
            "4 put_away | pub async fn put_away(&mut self, parcel: T) -> Result<(), Error>",
        ],
    ),
    "java": (
        """\
public abstract class Store<T> extends Base implements Keeps {
    private static final int LIMIT = 12;
    List<T> putAway(T parcel, int shelf) throws Full {
        int local = 1;
        return helper(local);
    }
}
record Parcel(String label) {}
""",
        [
            "0 Store | public abstract class Store<T> extends Base implements Keeps",
            "4 LIMIT | private static final int LIMIT = 12",
            "4 putAway | List<T> putAway(T parcel, int shelf) throws Full",
            "0 Parcel | record Parcel(String label)",
        ],
    ),
    "kotlin": (
        "class Store(private val count: Int) {\n    fun putAway(parcel: Parcel) {\n    }\n}\n",
        [
            "0 Store | class Store(private val count: Int)",
            "4 putAway | fun putAway(parcel: Parcel)",
        ],
    ),
    "csharp": (
        "public class Store : Base {\n  public async Task<int> PutAway(Parcel p) { }\n}\n",
        [
            "0 Store | public class Store : Base",
            "2 PutAway | public async Task<int> PutAway(Parcel p)",
        ],
    ),
    "swift": (
        "class Store: Base {\n    func putAway(_ p: Parcel) -> Bool { true }\n}\n",
        ["0 Store | class Store: Base", "4 putAway | func putAway(_ p: Parcel) -> Bool"],
    ),
    "c": (
        (
            "#define LIMIT 12\nstatic int put_away(struct store *s, const char *parcel)\n{\n"
            "    return helper(s);\n}\nint count_of(struct store *s);\n"
        ),
        [
            "0 LIMIT | #define LIMIT 12",
            "0 put_away | static int put_away(struct store *s, const char *parcel)",
            "0 count_of | int count_of(struct store *s)",
        ],
    ),
    "cpp": (
        (
            "class Store : public Base {\npublic:\n    void put_away(const Parcel& parcel);\n};\n"
            "int Store::count() const {\n    return 1;\n}\n"
        ),
        [
            "0 Store | class Store : public Base",
            "4 put_away | void put_away(const Parcel& parcel)",
            "0 count | int Store::count() const",
        ],
    ),
    "ruby": (
        (
            "class Store < Base\n  LIMIT = 12\n  attr_reader :shelves\n"
            "  def put_away(parcel, shelf:)\n    local = 1\n  end\nend\n"
        ),
        [
            "0 Store | class Store < Base",
            "2 LIMIT | LIMIT = 12",
            "2 shelves | attr_reader :shelves",
            "2 put_away | def put_away(parcel, shelf:)",
        ],
    ),
    "php": (
        (
            "<?php\nclass Store extends Base {\n    private array $shelves = [];\n"
            "    public function putAway(Parcel $p): bool { return true; }\n}\n"
        ),
        [
            "0 Store | class Store extends Base",
            "4 $shelves | private array $shelves = []",
            "4 putAway | public function putAway(Parcel $p): bool",
        ],
    ),
    "lua": (
        "local function weigh(parcel)\nend\nfunction Store.put_away(self, parcel)\nend\n",
        [
            "0 weigh | local function weigh(parcel)",
            "0 Store.put_away | function Store.put_away(self, parcel)",
        ],
    ),
    "dart": (
        "class Store extends Base {\n  bool putAway(Parcel p) {\n    return true;\n  }\n}\n",
        ["0 Store | class Store extends Base", "2 putAway | bool putAway(Parcel p)"],
    ),
    "shellscript": ("weigh() {\n  echo 1\n}\n", ["0 weigh | weigh()"]),
    "markdown": ("# class Store\n", []),
}


@pytest.mark.parametrize("language", DECLARED)
def test_a_file_declares(language: str) -> None:
    text, wanted = DECLARED[language]
    found = declarations(text, language)
    assert [f"{one.depth} {one.name} | {one.head}" for one in found] == wanted
    lines = text.split("\n")
    assert all(one.name.lstrip("$") in lines[one.line] for one in found)


def test_a_docstring_s_first_line_is_kept_and_what_it_shows_is_not_code() -> None:
    text = 'def fetch(url):\n    """Get it.\n\n    def no_code(): ...\n    """\nx = 1\n'
    found = declarations(text, "python")
    assert [(one.name, one.doc) for one in found] == [("fetch", "Get it."), ("x", "")]


HARD = (
    *("def f(" + "a, " * 9_000, "class " * 5_000, "def f(\n" * 3_000, "a " + "*" * 20_000),
    *("    NAME,\n" * 20_000, "a\n" * 20_000, "public " * 9_000, "import " * 9_000, "a::" * 9_000),
)


@pytest.mark.parametrize("language", DECLARED)
def test_no_text_takes_longer_the_more_of_it_there_is(language: str) -> None:
    """A pattern that goes over a text again at each line would hold the whole server up."""
    for text in HARD:
        found = declarations(text, language)
        assert all(len(one.head) <= MAX_HEAD_CHARS for one in found)
        assert imports(text, language) is not None


def test_generated_code_is_read_to_a_bound() -> None:
    text = "".join(f"def f_{number}(): ...\n" for number in range(MAX_DECLARATIONS + 500))
    assert len(declarations(text, "python")) == MAX_DECLARATIONS


def at(*parts: str, up: int | None = None, names: tuple[str, ...] = ()) -> Import:
    return Import(parts, up, names)


IMPORTED: dict[str, tuple[str, str, list[Import]]] = {
    "python, a name of a module": (
        "python",
        "from shop.store import Store as S, weigh\n",
        [
            at("shop", "store", names=("Store", "weigh")),
            at("shop", "store", "weigh"),  # it may be a module
        ],
    ),
    "python, over several lines": (
        "python",
        "from .store import (\n    Store,  # big\n    Shelf,\n)\n",
        [at("store", up=0, names=("Store", "Shelf"))],
    ),
    "python, from above": ("python", "from .. import Store\n", [at(up=1, names=("Store",))]),
    "python, modules": ("python", "import os, shop.store as s\n", [at("os"), at("shop", "store")]),
    "typescript, names": (
        "typescript",
        "import { Store, type Shelf as S } from '../shop/store'\n",
        [at("shop", "store", up=1, names=("Store", "Shelf"))],
    ),
    "typescript, over several lines": (
        "typescriptreact",
        'import type {\n  Store,\n} from "./store.js";\n',
        [at("store", up=0, names=("Store",))],
    ),
    "typescript, handed on": ("typescript", "export * from './store'\n", [at("store", up=0)]),
    "typescript, a folder's index": (
        "typescript",
        "import Store from './shop/index'\n",
        [at("shop", up=0, names=("Store",))],
    ),
    "javascript, required": (
        "javascript",
        "const s = require('./store')\n",
        [at("store", up=0)],
    ),
    "go": ("go", 'import (\n\tx "example.org/shop"\n)\n', [at("example", "org", "shop")]),
    "rust": (
        "rust",
        "use crate::shop::{Shelf, Parcel};\nmod shelf;\n",
        [at("shop", names=("Shelf", "Parcel")), at("shelf")],
    ),
    "java": (
        "java",
        "import static org.shop.Limits.MAX;\n",
        [at("org", "shop", "Limits", "MAX")],
    ),
    "c, its own headers": ("c", '#include <stdio.h>\n#include "a/store.h"\n', [at("a", "store")]),
    "ruby": ("ruby", 'require_relative "shelf"\n', [at("shelf")]),
    "php": ("php", "use Shop\\Store\\Shelf;\n", [at("Shop", "Store", "Shelf")]),
    "lua": ("lua", 'local shelf = require("shop.shelf")\n', [at("shop", "shelf")]),
    "dart": ("dart", "import 'package:shop/shelf.dart';\n", [at("shop", "shelf")]),
    "nothing that is none": ("python", "importer = 1\nx = 'import y'\n", []),
}


@pytest.mark.parametrize(("language", "text", "wanted"), IMPORTED.values(), ids=IMPORTED.keys())
def test_a_file_imports(language: str, text: str, wanted: list[Import]) -> None:
    assert imports(text, language) == wanted


def test_imports_are_read_to_a_bound() -> None:
    text = "".join(f"import m{number}\n" for number in range(MAX_IMPORTS + 50))
    assert len(imports(text, "python")) == MAX_IMPORTS


FILES = (
    "src/shop/__init__.py",
    "src/shop/store.py",
    "src/shop/sub/store.py",
    "web/shop/index.ts",
    "web/store.ts",
    "lib/store.hpp",
)
MEANT: dict[str, tuple[Import, str, str | None]] = {
    "by its full name, below a source root": (at("shop", "store"), "tests/a.py", FILES[1]),
    "the nearest of two": (at("store"), "src/shop/sub/a.py", FILES[2]),
    "a name of a module": (at("shop", "store", "Store"), "a.py", FILES[1]),
    "a package": (at("shop"), "src/a.py", FILES[0]),
    "from its own folder": (at("store", up=0), "src/shop/a.py", FILES[1]),
    "from above": (at("store", up=1), "src/shop/sub/a.py", FILES[1]),
    "above the root": (at("store", up=9), "src/shop/a.py", None),
    "a folder's index": (at("shop", up=0), "web/a.ts", FILES[3]),
    "a library": (at("numpy"), "a.py", None),
    "half a name": (at("numpy", "store"), "a.py", None),
}


@pytest.mark.parametrize(("one", "importer", "wanted"), MEANT.values(), ids=MEANT.keys())
def test_an_import_means_a_file(one: Import, importer: str, wanted: str | None) -> None:
    modules = {module_path(path): path for path in FILES}
    meant = resolve(one, importer, lambda name: iter([m for m in modules if m[-1] == name]))
    assert (modules[meant] if meant else None) == wanted
