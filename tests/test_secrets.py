"""Secrets inside ordinary files are cut out, and code that only speaks of them is not."""

from __future__ import annotations

import base64
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fim_lsp.secrets import PLACEHOLDER, cut_secrets, looks_random


def made_up(alphabet: str, length: int, seed: int = 1) -> str:
    """Looks like a key and is none."""
    return "".join(random.Random(seed).choices(alphabet, k=length))


ALNUM = string.ascii_letters + string.digits
BLOB = base64.b64encode(random.Random(3).randbytes(600)).decode()
WRAPPED = "\n".join(BLOB[at : at + 64] for at in range(0, len(BLOB), 64))

SECRETS = {
    "a private key": (
        "KEY = '''-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----'''\n",
        WRAPPED,
    ),
    "an OpenSSH key": (
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n",
        WRAPPED,
    ),
    "a PGP key": (
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{}\n-----END PGP PRIVATE KEY BLOCK-----\n",
        WRAPPED,
    ),
    "a key on one line": (
        'key = "-----BEGIN PRIVATE KEY-----\\n{}\\n-----END PRIVATE KEY-----\\n"\n',
        BLOB[:64],
    ),
    "a key whose end is missing": ("-----BEGIN EC PRIVATE KEY-----\n{}\n", WRAPPED),
    "an AWS key id": ("aws = {}\n", "AKIA" + made_up(string.ascii_uppercase, 16)),
    "an AWS secret": (
        'aws_secret_access_key = "{}"\n',
        made_up(ALNUM + "/+", 40),
    ),
    "a GitHub token": ("git clone https://x:{}@github.com/a/b\n", "ghp_" + made_up(ALNUM, 36)),
    "a fine GitHub token": ("# {}\n", "github_pat_" + made_up(ALNUM, 60)),
    "a GitLab token": ("TOKEN={}\n", "glpat-" + made_up(ALNUM, 20)),
    "a Slack token": ("client({})\n", "xoxb-1234567890-" + made_up(ALNUM, 24)),
    "a Stripe key": ("stripe.api_key = '{}'\n", "sk_live_" + made_up(ALNUM, 24)),
    "a model's key": ("Client('{}')\n", "sk-" + made_up(ALNUM, 48)),
    "a Google key": ("url = 'x?key={}'\n", "AIza" + made_up(ALNUM, 35)),
    "an access token": ("return '{}'\n", "ya29." + made_up(ALNUM, 60)),
    "a package token": ("//host/:_authToken={}\n", "npm_" + made_up(ALNUM, 36)),
    "a hub's token": ("login('{}')\n", "hf_" + made_up(ALNUM, 34)),
    "a mail token": ("x('{}')\n", f"SG.{made_up(ALNUM, 22)}.{made_up(ALNUM, 43)}"),
    "a web token": (
        "cookie = {}\n",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9." + made_up(ALNUM, 43),
    ),
    "a storage key": ("AccountName=a;AccountKey={}\n", BLOB[:86] + "=="),
    "a bearer": ('headers = {{"Authorization": "Bearer {}"}}\n', made_up(ALNUM, 32)),
    "a password in an address": ("postgres://app:{}@db/x\n", "hunter2"),
    "a password": ('PASSWORD = "{}"\n', "correct horse"),
    "a password in capitals and small letters": ('dbPaSsWoRd = "{}"\n', "hunter2"),
    "a password in a letter that only looks so": ('pa\u017f\u017fword = "{}"\n', "hunter2"),
    "a password on the next line": ('password = (\n    "{}"\n)\n', "no other word"),
    "a password beside its user": ('get(url, auth=("app", "{}"))\n', "hunter2"),
    "a password in a table": ("'db_password': '{}',\n", "hunter2"),
    "a password as an argument": ("connect(user='a', password='{}')\n", "hunter2"),
    "a password with a type": ('password: str = "{}"\n', "hunter2!"),
    "a password in YAML": ("  password: {}\n", "hunter2-and-more"),
    "a secret in TypeScript": ("const clientSecret: string = `{}`;\n", "s3cr3t-value"),
    "a secret in the environment": ("export API_TOKEN={}\n", made_up(ALNUM, 24)),
    "a default of a lookup": ('os.environ.get("API_KEY", "{}")\n', "zz91-known-only-here"),
    "a random text without a telling name": ('FOO = "{}"\n', made_up(ALNUM, 40)),
    "a hash of 32 hex digits": ("value = '{}'\n", made_up("0123456789abcdef", 32)),
}


@pytest.mark.parametrize(("text", "secret"), SECRETS.values(), ids=SECRETS.keys())
def test_a_secret_is_cut_out(text: str, secret: str) -> None:
    document = "before = 1\n" + text.format(secret) + "after = 2\n"
    cut = cut_secrets(document)
    assert PLACEHOLDER in cut
    assert not any(piece in cut for piece in (secret, *secret.split("\n")))
    assert cut.startswith("before = 1\n")
    assert cut.endswith("after = 2\n")
    assert cut.count("\n") == document.count("\n")


ORDINARY = (
    "def login(self, password: str, token: str | None = None) -> Session:\n",
    "password = getpass()\n",
    "self.token = token\n",
    'token = os.environ["API_TOKEN"]\n',
    "const apiKey = process.env.API_KEY;\n",
    'password = "${DB_PASSWORD}"\n',
    "token = next(tokens)\n",
    "from secrets import token_urlsafe\n",
    "tokenizer = AutoTokenizer.from_pretrained(name)\n",
    "author = 'Jane Doe and somebody else'\n",
    "path = 'fim_lsp/providers/transport/connection'\n",
    "import { createHash } from 'node:crypto'\n",
    "raise ValueError('the password is too short for this')\n",
    "if (token.kind === SyntaxKind.CloseBrace) {\n",
    "x = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'\n",
    "-----BEGIN PUBLIC KEY-----\n",
    "class TestPasswordResetView2(TestCase):\n",
    "url = 'https://example.org/a/very/long/path/to/page-2.html'\n",
)


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_code_stays(text: str) -> None:
    assert cut_secrets(text) == text


@given(st.text(alphabet=string.printable, max_size=200))
def test_lines_stay_and_cutting_again_changes_nothing(text: str) -> None:
    once = cut_secrets(text)
    assert once.count("\n") == text.count("\n")
    assert cut_secrets(once) == once


RANDOM = {
    made_up(ALNUM, 32): True,
    made_up("0123456789abcdef", 40): True,
    "aVeryLongIdentifierWithoutDigits": False,
    "00000000000000000000000000000000": False,
    "12345678901234567890123456789012": True,
    "src/components/forms/v2/index": False,
    "test_parse_2024_01_01_to_date": False,
}


@pytest.mark.parametrize(("word", "random_looking"), RANDOM.items())
def test_what_looks_random(word: str, random_looking: bool) -> None:
    assert looks_random(word) is random_looking
