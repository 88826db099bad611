import io

import pytest

from builder.checks.finding import Finding, Severity
from builder.checks.inspect import inspect
from builder.checks.leaks.clues import clues_of_text
from builder.checks.leaks.secrets import check_secrets
from builder.checks.subject import Ground, Inspected, Origin, Subject
from builder.rootfs.file_index import FileIndex
from builder.rootfs.libraries import Libraries
from layers.entries import FileEntry
from tests.checks.leaks.secret_samples import ALL, GITHUB, KEYS, PEM, TOKENS

SITE = "app/.venv/lib/python3.12/site-packages"


def check(*parts: Inspected) -> list[Finding]:
    ground = Ground(files=FileIndex(), libraries=Libraries())
    return check_secrets(Subject(parts=parts, ground=ground, target=None, run={}))


def project(path: str, text: str | bytes) -> list[Finding]:
    data = text.encode() if isinstance(text, str) else text
    entry = FileEntry.of(path, data)
    return check(inspect([entry], origin=Origin.PROJECT, layer="project"))


def clues(text: str, path: str = "app/src/a.py", origin: Origin = Origin.PROJECT) -> list[str]:
    found = clues_of_text(path, text.encode(), io.BytesIO(), origin)
    return [clue.kind for clue in found]


@pytest.mark.parametrize("name", ALL)
def test_no_message_tells_the_secret(name: str) -> None:
    _, text = ALL[name]
    [finding] = project("app/src/a.txt", text)
    said = f"{finding.message} {finding.fix} {finding.path}"
    pieces = {text[at : at + 12] for at in range(len(text) - 12)}
    assert not [piece for piece in pieces if piece in said and piece.strip().isalnum()]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (".env", ".env file"),
        ("app/src/.env.production", ".env file"),
        ("app/.ssh/id_ed25519", "SSH private key"),
        ("app/certs/server.p12", "key store"),
        ("app/certs/store.jks", "key store"),
        ("app/me.kdbx", "key store"),
        ("app/me.ppk", "key store"),
        ("app/.gnupg/private-keys-v1.d/AB.key", "GnuPG key"),
        ("app/.git-credentials", "file of Git credentials"),
        ("root/.aws/credentials", "file of AWS credentials"),
        ("root/.azure/msal_token_cache.json", "file of Azure credentials"),
        (
            "root/.config/gcloud/application_default_credentials.json",
            "file of Google credentials",
        ),
        ("root/.kube/config", "kubeconfig"),
        ("app/terraform.tfstate", "Terraform state"),
        ("app/deploy/prod.tfstate.backup", "Terraform state"),
        ("app/.htpasswd", "password file"),
        ("root/.pgpass", "password file"),
        ("root/.vault-token", "Vault token"),
        ("root/wallet.dat", "wallet"),
    ],
)
def test_a_file_is_told_by_its_name(path: str, kind: str) -> None:
    [finding] = project(path, "a=1")
    assert finding.message == f"is {'an' if kind[0] == 'S' else 'a'} {kind}"
    assert finding.path == f"/{path}"
    assert project(path, "") == []
    assert check(inspect([FileEntry.of(path, b"a=1")], origin=Origin.DISTRIBUTION)) == []


@pytest.mark.parametrize(
    "path",
    [
        *("app/.env.example", "app/.env.sample", "app/.env.template", "app/.env.dist"),
        *(
            "app/env",
            "app/settings.env.py",
            "app/.envrc",
            "app/.env.local.example",
            "app/.env.j2",
            "app/id_rsa.pub",
            "app/.ssh/config",
        ),
        *("app/config", "app/keystore.py", "app/credentials", "app/tfstate", "app/mid_rsa"),
    ],
)
def test_a_file_of_another_name_is_none(path: str) -> None:
    assert project(path, "a=1") == []


def test_the_project_learns_what_and_where_and_what_to_do() -> None:
    text = (
        f"# settings\nA = '{GITHUB}'\n{PEM.decode()}\nB = '{GITHUB[::-1][:-4]}'\nC = '{GITHUB}'\n"
    )
    [finding] = project("app/src/demo/settings.py", text)
    assert finding == Finding(
        check="secret",
        severity=Severity.ERROR,
        message="holds a GitHub token (lines 2, 8) and a private key (line 3)",
        fix="read it from an environment variable or a mounted file at run time; "
        "if it was ever committed or pushed, replace it where it is from",
        path="/app/src/demo/settings.py",
        layer="project",
    )


@pytest.mark.parametrize(
    ("path", "advice"),
    [
        ("app/src/certs/server.key", "add **/server.key to .dockerignore and mount it at run time"),
        ("app/src/.env", "add **/.env to .dockerignore and mount it at run time"),
        (f"{SITE}/demo/server.key", "add **/server.key to .dockerignore and mount it at run time"),
    ],
)
def test_a_file_is_left_out_where_it_comes_in(path: str, advice: str) -> None:
    [finding] = project(path, PEM)
    assert finding.fix.startswith(advice)


def test_a_key_with_a_passphrase_is_a_warning() -> None:
    [finding] = project("app/a.key", KEYS["encrypted RSA"][1])
    assert finding.severity is Severity.WARNING
    assert finding.message == "holds an encrypted private key (line 1)"
    [finding] = project("app/a.key", KEYS["encrypted RSA"][1] + GITHUB)
    assert finding.severity is Severity.ERROR


def test_many_secrets_of_a_file_are_one_finding() -> None:
    [finding] = project("app/a.txt", f"{GITHUB}\n" * 50)
    assert finding.message == "holds a GitHub token (lines 1, 2, 3, …)"


def published(**files: bytes) -> list[Finding]:
    entries = [FileEntry.of(f"{SITE}/{path}", data) for path, data in files.items()]
    origin = Origin.DISTRIBUTION
    return check(inspect(entries, origin=origin, layer="python", distribution="moto 5.2.5"))


def test_a_package_with_secrets_is_one_warning() -> None:
    [finding] = published(**{"moto/ca.key": PEM, "moto/b.key": PEM, "moto/c.py": GITHUB.encode()})
    assert finding.severity is Severity.WARNING
    assert finding.message == "holds a private key (line 1); 2 more files have some"
    assert finding.path == f"/{SITE}/moto/ca.key"
    assert (finding.distribution, finding.layer) == ("moto 5.2.5", "python")
    [finding] = published(**{"moto/ca.key": PEM, "moto/b.key": PEM})
    assert finding.message.endswith("; 1 more file has some")


def test_keys_of_published_tests_are_let_go_and_tokens_are_not() -> None:
    paths = ("a/tests/server.key", "a/test/keys.py", "a/testing/ca.pem", "a/test_tls.py")
    assert published(**dict.fromkeys(paths, PEM)) == []
    assert published(**{"a/lib.key": KEYS["encrypted RSA"][1].encode()}) == []
    [finding] = published(**dict.fromkeys(paths, GITHUB.encode()))
    assert finding.message.startswith("holds a GitHub token (line 1); 3 more")
    assert len(project("app/src/demo/testing/server.key", PEM)) == 1


def test_what_hardly_proves_anything_is_not_looked_for_in_packages() -> None:
    texts = [TOKENS[name][1] for name in ("URL", "Twilio", "Hugging Face", "Azure SAS", ".npmrc")]
    assert [clues(text, origin=Origin.DISTRIBUTION) for text in texts] == [[]] * len(texts)


def test_what_is_installed_from_the_source_is_told_once() -> None:
    paths = (f"{SITE}/demo/server.key", "app/src/demo/server.key")
    parts = [inspect([FileEntry.of(path, PEM)], origin=Origin.PROJECT) for path in paths]
    assert [finding.path for finding in check(*parts)] == [f"/{paths[1]}"]
    assert [finding.path for finding in check(parts[0])] == [f"/{paths[0]}"]


def test_a_secret_that_a_later_file_hides_is_told_all_the_same() -> None:
    first = inspect([FileEntry.of("app/a", PEM)], origin=Origin.PROJECT, layer="one")
    later = inspect([FileEntry.of("app/a", b"x")], origin=Origin.PROJECT, layer="two")
    assert [finding.layer for finding in check(first, later)] == ["one"]


@pytest.mark.parametrize("path", ["app/.ENV", "app/keystore", "app/secrets.toml", "app/.dockercfg"])
def test_more_names_tell(path: str) -> None:
    assert len(project(path, "a=1")) == 1


@pytest.mark.parametrize("path", ["app/prod.env", "app/.envrc", "app/.flaskenv"])
def test_a_file_of_variables_is_told_by_what_is_in_it(path: str) -> None:
    [finding] = project(path, "A=1\nexport DB_PASSWORD=kX9vQz7Lw2Tr\n")
    assert finding.message == "holds a secret variable (line 2)"
    assert project(path, "DB_PASSWORD=changeme\nDEBUG=1\n") == []


def test_a_key_for_browsers_is_a_warning() -> None:
    text = TOKENS["Google"][1]
    assert [each.severity for each in project("app/a.js", text)] == [Severity.WARNING]
    assert [each.severity for each in project("app/a.py", text)] == [Severity.ERROR]


def test_a_secret_in_metadata_comes_from_pyproject() -> None:
    [finding] = project(f"{SITE}/demo-1.dist-info/METADATA", GITHUB)
    assert finding.fix.startswith("take it out of pyproject.toml or the README")
