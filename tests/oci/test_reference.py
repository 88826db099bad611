import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import ReferenceFormatError
from builder.oci.reference import Reference
from layers.digest import Digest

HEX = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
DIGEST = f"sha256:{HEX}"
EXPECTED = "expected e.g. registry.example.com/team/app:1.0"


@pytest.mark.parametrize(
    ("given_text", "registry", "repository", "tag", "digest"),
    [
        ("python", "docker.io", "library/python", "latest", None),
        ("python:3.12-slim", "docker.io", "library/python", "3.12-slim", None),
        ("team/app", "docker.io", "team/app", "latest", None),
        ("docker.io/python", "docker.io", "library/python", "latest", None),
        ("docker.io/team/app:1", "docker.io", "team/app", "1", None),
        ("index.docker.io/python", "docker.io", "library/python", "latest", None),
        ("registry-1.docker.io/team/app", "docker.io", "team/app", "latest", None),
        ("ghcr.io/team/app:1.0", "ghcr.io", "team/app", "1.0", None),
        ("localhost/app", "localhost", "app", "latest", None),
        ("localhost:5000", "docker.io", "library/localhost", "5000", None),
        ("localhost:5000/app", "localhost:5000", "app", "latest", None),
        ("localhost:5000/app:1", "localhost:5000", "app", "1", None),
        ("127.0.0.1:5000/a/b/c:1", "127.0.0.1:5000", "a/b/c", "1", None),
        ("[::1]/app", "[::1]", "app", "latest", None),
        ("[2001:db8::1]:5000/app:1", "[2001:db8::1]:5000", "app", "1", None),
        ("Registry/app", "Registry", "app", "latest", None),
        ("a-b.example.com/a--b/c__d/e.f", "a-b.example.com", "a--b/c__d/e.f", "latest", None),
        (f"python@{DIGEST}", "docker.io", "library/python", None, DIGEST),
        (f"r.io/app:1.0@{DIGEST}", "r.io", "app", "1.0", DIGEST),
        ("app:_1", "docker.io", "library/app", "_1", None),
        (f"app:{'x' * 128}", "docker.io", "library/app", "x" * 128, None),
        ("x" * 255, "docker.io", f"library/{'x' * 255}", "latest", None),
    ],
)
def test_a_reference_names_registry_repository_tag_and_digest(
    given_text: str, registry: str, repository: str, tag: str | None, digest: str | None
) -> None:
    reference = Reference.parse(given_text)
    assert (reference.registry, reference.repository, reference.tag) == (registry, repository, tag)
    assert reference.digest == (Digest(digest) if digest else None)
    assert str(reference) == reference.given == given_text
    assert reference.name == f"{registry}/{repository}"


@pytest.mark.parametrize(
    ("given_text", "full", "local", "selector"),
    [
        ("app", "docker.io/library/app:latest", "localhost/app:latest", "latest"),
        ("team/app:1", "docker.io/team/app:1", "localhost/team/app:1", "1"),
        ("docker.io/app:1", "docker.io/library/app:1", "docker.io/library/app:1", "1"),
        ("index.docker.io/app", "docker.io/library/app:latest", None, "latest"),
        (
            "docker.io-like:1",
            "docker.io/library/docker.io-like:1",
            "localhost/docker.io-like:1",
            "1",
        ),
        ("docker.io.example/app", "docker.io.example/app:latest", None, "latest"),
        ("localhost/app:1", "localhost/app:1", "localhost/app:1", "1"),
        ("library/app", "docker.io/library/app:latest", "localhost/library/app:latest", "latest"),
        ("localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app:latest", "latest"),
        (f"r.io/app@{DIGEST}", f"r.io/app@{DIGEST}", "r.io/app:latest", DIGEST),
        (f"r.io/app:1@{DIGEST}", f"r.io/app:1@{DIGEST}", "r.io/app:1", DIGEST),
        (f"app:1@{DIGEST}", f"docker.io/library/app:1@{DIGEST}", "localhost/app:1", DIGEST),
    ],
)
def test_a_reference_has_a_full_and_a_local_name(
    given_text: str, full: str, local: str | None, selector: str
) -> None:
    reference = Reference.parse(given_text)
    assert reference.full == full
    assert reference.local == (local or full)
    assert reference.selector == selector


TAG = (
    "the tag {!r} is not up to 128 letters, digits, '_', '.' and '-', "
    "of which '.' and '-' cannot be first"
)
NO_DIGEST = "not a digest: {!r}; expected sha256: and 64 hex digits"
NO_REPOSITORY = "{!r} is not a repository name"
NO_HOST = "{!r} is not a host name"


@pytest.mark.parametrize(
    ("given_text", "reason"),
    [
        ("", "it names no repository"),
        ("ghcr.io/", "it names no repository"),
        (":1", "it names no repository"),
        (f"@{DIGEST}", "it names no repository"),
        ("/app", NO_REPOSITORY.format("")),
        ("a//b", NO_REPOSITORY.format("")),
        ("team/app/", NO_REPOSITORY.format("")),
        ("a b", NO_REPOSITORY.format("a b")),
        (" app", NO_REPOSITORY.format(" app")),
        ("app\n", NO_REPOSITORY.format("app\n")),
        ("app..x", NO_REPOSITORY.format("app..x")),
        ("-app", NO_REPOSITORY.format("-app")),
        ("app-", NO_REPOSITORY.format("app-")),
        ("a___b", NO_REPOSITORY.format("a___b")),
        ("caf\xe9", NO_REPOSITORY.format("caf\xe9")),
        ("ghcr.io/_/app", NO_REPOSITORY.format("_")),
        ("https://ghcr.io/app", NO_HOST.format("https:")),
        ("[::1]", NO_REPOSITORY.format("[::1]")),
        ("x" * 256, "its repository is longer than 255 characters"),
        ("app:", TAG.format("")),
        ("app:.1", TAG.format(".1")),
        ("app:-1", TAG.format("-1")),
        ("app:a b", TAG.format("a b")),
        ("app:1\n", TAG.format("1\n")),
        ("app:\xe9", TAG.format("\xe9")),
        (f"app:{'x' * 129}", TAG.format("x" * 129)),
        ("app:1:2", NO_REPOSITORY.format("app:1")),
        ("app@", NO_DIGEST.format("")),
        ("app@latest", NO_DIGEST.format("latest")),
        (f"app@{HEX}", NO_DIGEST.format(HEX)),
        (f"app@{DIGEST}@{DIGEST}", NO_DIGEST.format(f"{DIGEST}@{DIGEST}")),
        ("-host.io/app", NO_HOST.format("-host.io")),
        ("host..io/app", NO_HOST.format("host..io")),
        ("host.-a.io/app", NO_HOST.format("host.-a.io")),
        ("my_host.io/app", NO_HOST.format("my_host.io")),
        ("user@host.io/app", NO_DIGEST.format("host.io/app")),
        ("host.io:/app", NO_HOST.format("host.io:")),
        ("host.io:port/app", NO_HOST.format("host.io:port")),
        ("host.io:\u0663/app", NO_HOST.format("host.io:\u0663")),
        ("./app", NO_HOST.format(".")),
        ("../app", NO_HOST.format("..")),
    ],
)
def test_what_is_no_reference_is_refused_with_the_reason(given_text: str, reason: str) -> None:
    with pytest.raises(ReferenceFormatError) as caught:
        Reference.parse(given_text)
    assert caught.value.message == f"not an image reference: {given_text!r}: {reason}"
    assert caught.value.hint == EXPECTED


def test_upper_case_is_refused_with_what_to_write() -> None:
    with pytest.raises(ReferenceFormatError) as caught:
        Reference.parse("ghcr.io/Team/App:1")
    assert caught.value.message == (
        "not an image reference: 'ghcr.io/Team/App:1': a repository is written in lower case"
    )
    assert caught.value.hint == "write team/app"


COMPONENTS = st.from_regex(re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+){0,2}"), fullmatch=True)
REPOSITORIES = st.lists(COMPONENTS, min_size=1, max_size=3).map("/".join)
REGISTRIES = st.sampled_from(
    ["docker.io", "ghcr.io", "localhost", "localhost:5000", "[::1]:443", "10.0.0.1:80", "HOST:1"]
)
TAGS = st.from_regex(re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}"), fullmatch=True)
DIGESTS = st.binary(max_size=3).map(lambda data: str(Digest.of(data)))


@given(REGISTRIES, REPOSITORIES, st.none() | TAGS, st.none() | DIGESTS)
def test_a_full_name_means_itself(
    registry: str, repository: str, tag: str | None, digest: str | None
) -> None:
    text = f"{registry}/{repository}{f':{tag}' if tag else ''}{f'@{digest}' if digest else ''}"
    full = Reference.parse(text).full
    again = Reference.parse(full)
    assert str(again) == again.full == full
    assert again.local == Reference.parse(text).local
    assert again.registry == registry
    assert again.repository.removeprefix("library/") == repository.removeprefix("library/")


@given(st.text(max_size=30) | st.text(st.sampled_from("aA1.:/@-_[] "), max_size=20))
def test_any_text_is_a_reference_or_is_refused(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except ReferenceFormatError as error:
        assert error.message.startswith(f"not an image reference: {text!r}: ")  # noqa: PT017
    else:
        assert Reference.parse(reference.full).full == reference.full
