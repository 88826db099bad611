import io
import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.checks.leaks import clues as module
from builder.checks.leaks.clues import clues_of_text
from builder.checks.leaks.credentials import url_password
from builder.checks.leaks.placeholders import is_random
from builder.checks.subject import Clue, Origin
from tests.checks.leaks.secret_samples import ALL, GITHUB, der, pem


def clues(text: str, path: str = "app/src/a.py", origin: Origin = Origin.PROJECT) -> list[str]:
    found = clues_of_text(path, text.encode(), io.BytesIO(), origin)
    return [clue.kind for clue in found]


@pytest.mark.parametrize("name", ALL)
def test_a_secret_is_found(name: str) -> None:
    kind, text = ALL[name]
    assert kind in clues(text)
    assert kind in clues(f'# first\nKEY = """{text}"""\n')
    lines = clues_of_text("app/a", f"\n\n{text}\n".encode(), io.BytesIO(), Origin.PROJECT)
    assert any(clue.kind == kind and clue.line >= 3 for clue in lines)


_WORD = string.ascii_letters + string.digits


@pytest.mark.parametrize(
    ("alphabet", "length"),
    [
        (string.ascii_uppercase + "234567", 16),
        ("0123456789abcdef", 32),
        ("0123456789abcdef", 64),
        (_WORD, 36),
        (_WORD + "+/", 86),
        (_WORD + "-_", 150),
    ],
)
def test_hardly_any_random_token_is_taken_for_an_example(alphabet: str, length: int) -> None:
    some = random.Random(5)  # noqa: S311 - the same in every run
    tokens = ("".join(some.choices(alphabet, k=length)).encode() for _ in range(4000))
    assert sum(not is_random(token) for token in tokens) <= 20  # 0.5 %


@pytest.mark.parametrize(
    "text",
    [
        "AKIA" + "IOSFODNN7EXAMPLE",
        "AKIA" + "X" * 16,
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
        "ghp" + "_" + "a" * 36,
        "ghp" + "_" + string.ascii_lowercase + string.digits,
        "ghp" + "_" + "your0token0goes0here0please0put0it00",
        "x" + GITHUB,
        GITHUB + "x",
        GITHUB[:-1],
        "glpat" + "-XXXXXXXXXXXXXXXXXXXX",
        "sk_" + "test_" + "k3Jd92Kls0dkQ8zXb41mVcWe",
        "npm" + "_config_registry_of_the_company_here",
        "AccountKey=" + "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZF"
        "PTOtr/KBHBeksoGMGw==",
        "AccountKey={key}",
        '{"auths": {"https://index.docker.io/v1/": {}}, "credsStore": "pass"}',
        "//registry.corp.net/:_authToken=${NPM_TOKEN}",
        "current-context: a\nusers:\n- user:\n    token: ${KUBE_TOKEN}\n",
        "-----BEGIN PRIVATE KEY-----",
        'BEGIN = "-----BEGIN RSA PRIVATE KEY-----"\nEND = "-----END RSA PRIVATE KEY-----"',
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA...\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n<your key>\n-----END PRIVATE KEY-----",
        pem("", der())[:400],
        pem("", der()).replace("PRIVATE", "PUBLIC"),
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n...\n",
        "LS0tLS1CRUdJTi" + "BDRVJUSUZJQ0FURS0tLS0t",
    ],
)
def test_an_example_is_no_secret(text: str) -> None:
    assert clues(text) == []
    assert clues(f"# {text}\n") == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:password@db.corp.net/app",
        "postgresql://postgres:postgres@localhost/app",
        "postgresql://app:longenough99@localhost/app",
        "postgresql://scott:tiger@db/app",
        "postgresql://app:letmein@postgres:5432/app",
        "postgresql://app:my-secret_1@db.corp.net/app",
        "amqp://me:changeme@mq.corp.net",
        "postgresql://${USER}:${PASSWORD}@db.corp.net/app",
        "postgresql://{user}:{password}@{host}/app",
        "postgresql://<user>:<secret>@db.corp.net/app",
        "postgresql://%(user)s:%(pass)s@db.corp.net/app",
        "https://user:hunter22@www.example.com/",
        "https://host:8000/@scope/package",
        "https://corp.net:8443,me:pw@corp.net/",
        "https://token@github.com/me/it",
        "http://[::1]:8000/@me",
        "see https://corp.net: write to me@corp.net",
    ],
)
def test_an_address_without_a_real_password_is_no_secret(url: str) -> None:
    assert clues(f'URL = "{url}"') == []


@pytest.mark.parametrize(
    ("path", "text", "kind", "line"),
    [
        ("app/.netrc", "machine a.net login me\npassword hunter22\n", "password", 2),
        ("app/.netrc", "machine a.net login me password hunter22", "password", 1),
        ("app/.pypirc", "[pypi]\nusername = me\npassword = hunter22\n", "password", 3),
        ("app/.npmrc", "registry=https://a.net\n_auth = bWU6aHVudGVyMjI=\n", "npm password", 2),
    ],
)
def test_a_password_is_told_by_its_file(path: str, text: str, kind: str, line: int) -> None:
    assert clues_of_text(path, text.encode(), io.BytesIO(), Origin.PROJECT) == (
        Clue(kind=kind, line=line),
    )
    assert clues(text, "app/notes.txt") == []
    assert (
        clues(text.replace("hunter22", "<password>").replace("bWU6aHVudGVyMjI=", "${A}"), path)
        == []
    )


_PIECES = sorted(
    {text[: len(text) // part].encode() for _, text in ALL.values() for part in (1, 2, 3)}
)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40) | st.sampled_from(_PIECES), max_size=8))
def test_no_file_is_too_strange(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    lines = data.count(b"\n") + 1
    for path in ("app/a.key", "app/.npmrc"):
        for clue in clues_of_text(path, data, io.BytesIO(), Origin.PROJECT):
            assert 0 <= clue.line <= lines


class Counted(bytes):
    """Text that knows how much of it was looked through for the ends of lines."""

    seen = 0

    def __add__(self, other: bytes) -> "Counted":  # type: ignore[override]
        return Counted(bytes(self) + other)

    def count(self, what: bytes, start: int, end: int) -> int:  # type: ignore[override]
        Counted.seen += end - start
        return super().count(what, start, end)


def test_a_file_full_of_secrets_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def find(data: bytes, at: int) -> tuple[int, str] | None:
        asked.append(at)
        return url_password(data, at)

    monkeypatch.setattr(module, "_ALL", ((b"://", find),))
    text = "redis://:k39sLq0aaZ81x@a.corp.net/\n" * 20_000
    found = clues_of_text("app/a", Counted(text.encode()), io.BytesIO(), Origin.PROJECT)
    assert [clue.line for clue in found] == list(range(1, 11))
    assert len(asked) == 10
    assert 0 < Counted.seen <= len(text)
