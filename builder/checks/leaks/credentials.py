"""Files that are for credentials, and passwords where their place tells them.

Names are judged in the project alone: what a published package calls ``.env`` is no secret of the
user's.
"""

from __future__ import annotations

import base64
import binascii
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from builder.checks.leaks.placeholders import is_password, is_random
from builder.checks.leaks.private_keys import KEY_STORE, RING, SSH_KEY
from builder.checks.leaks.variables import holds_secret
from builder.checks.subject import Clue

if TYPE_CHECKING:
    from collections.abc import Iterator

URL_PASSWORD = "password in a URL"  # noqa: S105 - words for it

# Of the whole path in small letters, the first that matches counts.
_NAMES: tuple[tuple[str, str | None], ...] = (
    ("*/.ssh/*.pub", None),  # no such file after all
    ("*/.env", ".env file"),
    ("*/.env.*", ".env file"),
    *((f"*/id_{name}", SSH_KEY) for name in ("rsa", "dsa", "ecdsa", "ed25519")),
    *((f"*/id_{name}_sk", SSH_KEY) for name in ("ecdsa", "ed25519")),
    *((f"*.{end}", KEY_STORE) for end in ("pfx", "p12", "jks", "bcfks", "kdbx", "ppk")),
    ("*.keystore", KEY_STORE),
    ("*/keystore", KEY_STORE),
    ("*/.gnupg/private-keys-v1.d/*", RING),
    ("*/secring.gpg", RING),
    ("*/.git-credentials", "file of Git credentials"),
    ("*/.aws/credentials", "file of AWS credentials"),
    ("*/.azure/*token*", "file of Azure credentials"),
    ("*/.azure/service_principal_entries.*", "file of Azure credentials"),
    ("*/gcloud/application_default_credentials.json", "file of Google credentials"),
    ("*/.kube/config", "kubeconfig"),
    ("*/.dockercfg", "file of registry passwords"),
    ("*.tfstate", "Terraform state"),
    ("*.tfstate.backup", "Terraform state"),
    ("*/secrets.toml", "file of secrets"),
    ("*/.secrets.toml", "file of secrets"),
    ("*/.htpasswd", "password file"),
    ("*/.pgpass", "password file"),
    ("*/.my.cnf", "password file"),
    ("*/.vault_pass", "password file"),
    ("*/.vault-token", "Vault token"),
    ("*/wallet.dat", "wallet"),
)
# Templates and documents of variables, which repositories have for people to copy.
_TEMPLATE = re.compile(
    r".*/\.env(?:[._-].+)?[._-](?:example|sample|template|tmpl|tpl|dist|defaults?|jinja2?|j2|erb"
    r"|schema|vault|md|rst)"
)
# One regular expression says for most files that none of them matches.
_SUSPECT = re.compile(
    r"/\.(env|ssh|gnupg|git-credentials|aws|azure|kube|dockercfg|secrets\.|htpasswd|pgpass|my\.cnf"
    r"|vault)|/id_|/secring\.gpg|gcloud/|\.tfstate|/wallet\.dat|/secrets\.toml|/keystore$"
    r"|\.(pfx|p12|jks|bcfks|keystore|kdbx|ppk)$"
)


def clue_of_name(path: str) -> Clue | None:
    """What a file's path tells, relative to the root."""
    whole = f"/{path}".lower()
    if _SUSPECT.search(whole) is None or _TEMPLATE.fullmatch(whole):
        return None
    kind = next((kind for pattern, kind in _NAMES if fnmatchcase(whole, pattern)), None)
    return Clue(kind=kind) if kind else None


_LOGIN = re.compile(
    rb"://(?P<user>[^\s:,/?#@\"'<>]{0,64}):(?P<password>[^\s:,/?#@\"'<>]{1,128})"
    rb"@(?P<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])"
)
_LOCAL = re.compile(
    rb"(?:.*\.)?(?:localhost|local|test|invalid|example(?:\.\w+)?|host\.docker\.internal)"
    rb"|127\..*|0\.0\.0\.0|\[[0:]*1?\]|[Hh][Oo][Ss][Tt](?:[Nn][Aa][Mm][Ee])?(?:\..*)?"
)
_STRONG_PASSWORD = 10


def url_password(data: bytes, at: int) -> tuple[int, str] | None:
    """A URL with a password, ``://`` of which is at ``at``.

    Those of the developer's own machine are let go, and those of a neighbouring container unless
    their password was chosen with care: everybody's ``app:letmein@db`` is no secret.
    """
    login = _LOGIN.match(data, at)
    if login is None:
        return None
    host, password = login["host"].rstrip(b"."), unquote_to_bytes(login["password"])
    if not is_password(password, login["user"]) or _LOCAL.fullmatch(host):
        return None
    if b"." not in host and b":" not in host:
        has_both = re.search(rb"\d", password) and re.search(rb"[A-Za-z]", password)
        if len(password) < _STRONG_PASSWORD or not has_both or not is_random(password):
            return None
    return at, URL_PASSWORD


_DOCKER = re.compile(rb'"(?P<name>auth|identitytoken)"\s*:\s*"(?P<value>[^"]{8,})"')
_KUBERNETES = re.compile(
    rb"[\n{,][ \t-]{0,40}(?:\"(?:token|password)\": *\"|(?:token|password): *[\"']?)"
    rb"(?P<value>[^\s\"'<>${},]{8,})"
)


def docker_login(data: bytes, at: int) -> tuple[int, str] | None:
    """A registry's password in a Docker configuration, ``"auths"`` of which is at ``at``."""
    for found in _DOCKER.finditer(data, at):
        value = found["value"]
        login = _decoded(value) if found["name"] == b"auth" else b":" + value
        user, _, password = login.partition(b":")
        if is_password(password, user):
            return found.start("value"), "registry password"
    return None


def kubernetes_login(data: bytes, _at: int) -> tuple[int, str] | None:
    """A token or password in a kubeconfig, which has ``current-context`` somewhere."""
    for found in _KUBERNETES.finditer(data):
        if is_password(found["value"]):
            return found.start("value"), "Kubernetes token"
    return None


# How a line of a file of this name holds a password.
_NETRC = ("password", re.compile(rb"\bpassword[ \t]+(?P<value>\S+)"))
_LINES: dict[str, tuple[str, re.Pattern[bytes]]] = {
    ".netrc": _NETRC,
    "_netrc": _NETRC,
    "netrc": _NETRC,
    ".pypirc": ("password", re.compile(rb"(?m)^[ \t]*password[ \t]*[:=][ \t]*(?P<value>\S+)")),
    ".npmrc": ("npm password", re.compile(rb"(?:_auth|_password)[ \t]{0,9}=[ \t]*(?P<value>\S+)")),
}
# Those for direnv and Flask are often published on purpose, and so are others with such an end.
_VARIABLES = re.compile(r"\.(?:flask)?env(?:rc|_.*)?|env\.\w+|.*\.env")
_EXAMPLE = re.compile(r"example|sample|template|tmpl|dist\b|default|schema|vault")
_VARIABLE = re.compile(
    rb"(?m)^[ \t]*(?:export[ \t]+)?(?P<name>\w{3,64})[ \t]*=[ \t]*(?P<quote>[\"']?)"
    rb"(?P<value>[^\s\"'#]{1,1024})(?P=quote)"
)


def passwords_of_lines(path: str, data: bytes) -> Iterator[tuple[int, str]]:
    """Passwords in a file whose name says how it is written: where they begin, and their kinds."""
    name = path.rpartition("/")[2].lower()
    kind, pattern = _LINES.get(name, ("", None))
    for found in pattern.finditer(data) if pattern else ():
        if is_password(found["value"]):
            yield found.start("value"), kind
    if _VARIABLES.fullmatch(name) and not _EXAMPLE.search(name):
        for found in _VARIABLE.finditer(data):
            word, value = found["name"].decode("latin-1"), found["value"]
            if is_password(value) and holds_secret(word, value.decode("latin-1")):
                yield found.start("value"), "secret variable"


_NPM = re.compile(
    rb"(?:_authToken[ \t]{0,9}=|npmAuthToken:)[ \t]{0,9}[\"']?(?P<value>[^\s\"']{8,})"
)


def npm_login(data: bytes, at: int) -> tuple[int, str] | None:
    """A token in a configuration of npm or yarn, the name of which is at ``at``."""
    found = _NPM.match(data, at)
    return (found.start("value"), "npm token") if found and is_password(found["value"]) else None


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
