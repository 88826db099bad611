"""One secret of every kind, made up here: no scanner of this repository shall find any."""

import base64
import random
import string

_RANDOM = random.Random(11)  # noqa: S311 - of no use to anybody
_WORD = string.ascii_letters + string.digits
_URL = _WORD + "-_"
_BASE64 = _WORD + "+/"
_HEX = "0123456789abcdef"
_BASE32 = string.ascii_uppercase + "234567"


def some(alphabet: str, length: int) -> str:
    return "".join(_RANDOM.choices(alphabet, k=length))


def pem(label: str, body: bytes, newline: str = "\n") -> str:
    text = base64.b64encode(body).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    name = f"{label} PRIVATE KEY".strip()
    return newline.join([f"-----BEGIN {name}-----", *lines, f"-----END {name}-----", ""])


def der(size: int = 600) -> bytes:
    """As much as a loader of keys sees first: a sequence of that length, with version 0."""
    rest = b"\x02\x01\0\x30\x0d" + _RANDOM.randbytes(size - 5)
    return b"\x30\x82" + len(rest).to_bytes(2) + rest


# https://www.rfc-editor.org/rfc/rfc8410: a real Ed25519 key is 32 random bytes and what they are.
ED25519 = bytes.fromhex("302e020100300506032b657004220420") + _RANDOM.randbytes(32)
PEM = pem("", ED25519).encode()
GITHUB = "ghp" + "_" + some(_WORD, 36)


def _openssh(cipher: str) -> bytes:
    return b"openssh-key-v1\0\0\0\0" + bytes([len(cipher)]) + cipher.encode() + der(300)


def _putty(encryption: str) -> str:
    return (
        "PuTTY-User-Key-" + f"File-3: ssh-ed25519\r\nEncryption: {encryption}\r\nComment: me\r\n"
        f"Public-Lines: 1\r\n{some(_BASE64, 64)}\r\nPrivate-Lines: 1\r\n{some(_BASE64, 44)}\r\n"
    )


_LOCKED = pem("RSA", der()).replace(
    "-----\n", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AB\n\n", 1
)
_PGP = "-----BEGIN PGP " + f"PRIVATE KEY BLOCK-----\n\n{some(_BASE64, 64)}\n{some(_BASE64, 64)}\n"
_ACCOUNT = (
    '{"type": "service_account", "private_key": "' + pem("", der(), "\\n") + '", "client_id": "1"}'
)

KEYS = {
    "PKCS 8": ("private key", pem("", der())),
    "Ed25519": ("private key", PEM.decode()),
    "RSA": ("private key", pem("RSA", der())),
    "EC": ("private key", pem("EC", der(110))),
    "DSA": ("private key", pem("DSA", der())),
    "CRLF": ("private key", pem("RSA", der(), "\r\n")),
    "OpenSSH": ("private key", pem("OPENSSH", _openssh("none"))),
    "PGP": ("private key", _PGP),
    "PuTTY": ("private key", _putty("none")),
    "in YAML": ("private key", pem("RSA", der(), "\n    ")),
    "in one line": ("private key", "KEY='" + pem("RSA", der(), "\\n") + "'"),
    "in Python": ("private key", '"' + pem("RSA", der(), '\\n"\n  "') + '"'),
    "in JavaScript": ("private key", '"' + pem("RSA", der(), '\\n" +\n  "') + '"'),
    "in base64": ("private key", "key-data: " + base64.b64encode(PEM).decode()),
    "Google": ("Google service-account key", _ACCOUNT),
    "encrypted PKCS 8": ("encrypted private key", pem("ENCRYPTED", der())),
    "encrypted RSA": ("encrypted private key", _LOCKED),
    "encrypted OpenSSH": ("encrypted private key", pem("OPENSSH", _openssh("aes256-ctr"))),
    "encrypted PuTTY": ("encrypted private key", _putty("aes256-cbc")),
}


def _auths() -> str:
    login = base64.b64encode(f"me:{some(_WORD, 16)}".encode()).decode()
    return '{"auths": {"https://index.docker.io/v1/": {"auth": "' + login + '"}}}'


TOKENS = {
    "AWS": ("AWS access key", "AKIA" + some(_BASE32, 16)),
    "AWS session": ("AWS access key", "ASIA" + some(_BASE32, 16)),
    "AWS ini": ("AWS secret key", "aws_secret_" + "access_key = " + some(_BASE64, 40)),
    "AWS env": ("AWS secret key", "AWS_SECRET_" + "ACCESS_KEY=" + some(_BASE64, 40)),
    "AWS JSON": ("AWS secret key", '"secretAccess' + 'Key": "' + some(_BASE64, 40) + '"'),
    "GitHub": ("GitHub token", GITHUB),
    **{
        f"GitHub gh{kind}": ("GitHub token", f"gh{kind}" + "_" + some(_WORD, 36)) for kind in "ousr"
    },
    "GitHub fine": ("GitHub token", "github" + "_pat_" + some(_WORD, 22) + "_" + some(_WORD, 59)),
    "GitLab": ("GitLab token", "glpat" + "-" + some(_URL, 19) + "a"),
    "GitLab routable": (
        "GitLab token",
        "glpat" + "-" + some(_URL, 27) + ".01.0z1" + some(_WORD, 6),
    ),
    "GitLab deploy": ("GitLab token", "gldt" + "-" + some(_URL, 19) + "a"),
    "Slack bot": ("Slack token", "xoxb" + "-2734928374-9283740192-" + some(_WORD, 24)),
    "Slack user": ("Slack token", "xoxp" + "-2734928374-9283740192-" + some(_WORD, 32)),
    "Slack app": ("Slack token", "xapp" + "-1-A02KJ3H4G5F-2938475610293-" + some(_HEX, 64)),
    "Slack hook": (
        "Slack webhook",
        "https://hooks.slack" + ".com/services/T02KJ3H4G/B93K2J4H5/" + some(_WORD, 24),
    ),
    "Discord hook": (
        "Discord webhook",
        "https://discord.com/api/" + "webhooks/918273645546372819/" + some(_WORD, 68),
    ),
    "Stripe": ("Stripe key", "sk_" + "live_" + some(_WORD, 24)),
    "Stripe restricted": ("Stripe key", "rk_" + "live_" + some(_WORD, 99)),
    "npm": ("npm token", "npm" + "_" + some(_WORD, 36)),
    ".npmrc": ("npm token", "//registry.corp.net/:_auth" + "Token=" + some(_HEX, 36)),
    "yarn": ("npm token", "npmAuth" + 'Token: "' + some(_HEX, 36) + '"'),
    "PyPI": ("PyPI token", "pypi-AgE" + "IcHlwaS5vcmc" + some(_URL, 150)),
    "Hugging Face": ("Hugging Face token", "hf" + "_" + some(string.ascii_letters, 34)),
    "OpenAI": ("OpenAI key", "sk-" + some(_WORD, 20) + "T3Blbk" + "FJ" + some(_WORD, 20)),
    "OpenAI project": (
        "OpenAI key",
        "sk-proj-" + some(_URL, 74) + "T3Blbk" + "FJ" + some(_URL, 73) + "A",
    ),
    "Anthropic": ("Anthropic key", "sk-ant" + "-api03-" + some(_URL, 93) + "AA"),
    "Google": ("Google API key", "AIza" + some(_URL, 34) + "a"),
    "Google OAuth": ("Google client secret", "GOCSPX" + "-" + some(_URL, 27) + "a"),
    "SendGrid": ("SendGrid key", "SG" + "." + some(_WORD, 22) + "." + some(_WORD, 43)),
    "Twilio": ("Twilio key", "SK" + some(_HEX, 32)),
    "Twilio account": ("Twilio token", "TWILIO_AUTH" + "_TOKEN=" + some(_HEX, 32)),
    "Telegram": ("Telegram token", "5839201746" + ":AA" + some(_URL, 32) + "a"),
    "DigitalOcean": ("DigitalOcean token", "dop" + "_v1_" + some(_HEX, 64)),
    "Databricks": ("Databricks token", "dapi" + some(_HEX, 32)),
    "Vault": ("Vault token", "hvs" + "." + some(_WORD, 90)),
    "age": ("age key", "AGE-SECRET" + "-KEY-1" + some(_BASE32, 58)),
    "Azure storage": (
        "Azure storage key",
        "DefaultEndpointsProtocol=https;AccountName=a;Account" + "Key=" + some(_BASE64, 86) + "==;",
    ),
    "Azure storage env": (
        "Azure storage key",
        "AZURE_STORAGE_" + "KEY=" + some(_BASE64, 86) + "==",
    ),
    "Azure Cosmos": (
        "Azure storage key",
        "AccountEndpoint=https://a.documents.azure.com:443/;Account" + f"Key={some(_BASE64, 86)}==",
    ),
    "Azure bus": (
        "Azure access key",
        "SharedAccessKeyName=Root;SharedAccess" + "Key=" + some(_BASE64, 43) + "=",
    ),
    "Azure config": ("Azure access key", "Id=a;Secret=b;Access" + "Key=" + some(_BASE64, 43) + "="),
    "Azure SAS": (
        "Azure signature",
        f"https://a.blob.core.windows.net/c?sv=2024-11-04&{'sig'}={some(_WORD, 42)}%3D",
    ),
    "Azure AI": ("Azure service key", some(_WORD, 52) + "JQQ" + "J99" + some(_WORD, 26)),
    "Azure app": ("Azure client secret", "a3B" + "8Q~" + some(_WORD, 34)),
    "Docker": ("registry password", _auths()),
    "Docker identity": (
        "registry password",
        '{"auths": {"a.azurecr.io": {"auth": "MDA6", "identitytoken": "' + some(_URL, 60) + '"}}}',
    ),
    "Kubernetes": (
        "Kubernetes token",
        "apiVersion: v1\ncurrent-context: a\nusers:\n- name: a\n  user:\n    token: "
        + some(_WORD, 40),
    ),
    "URL": ("password in a URL", "postgresql://app:" + some(_WORD, 12) + "@db.corp.net:5432/app"),
    "URL of a neighbour": ("password in a URL", "redis://:" + "k39sLq0aaZ81x" + "@redis:6379/0"),
    "URL of an index": ("password in a URL", "https://me:" + "hunter22" + "@pypi.corp.net/simple"),
}

TOKENS |= {
    "GitLab job": ("GitLab token", "glcbt" + "-64_" + some(_WORD, 20)),
    "Shopify": ("Shopify token", "shpat" + "_" + some(_HEX, 32)),
    "Grafana": ("Grafana token", "glsa" + "_" + some(_WORD, 32) + "_" + some(_HEX, 8)),
    "Sentry": ("Sentry token", "sntrys" + "_" + some(_WORD, 64)),
    "Doppler": ("Doppler token", "dp" + ".st.prd." + some(_WORD, 43)),
    "Tailscale": ("Tailscale key", "tskey" + f"-auth-{some(_WORD, 12)}-{some(_WORD, 32)}"),
    "Groq": ("Groq key", "gsk" + "_" + some(_WORD, 52)),
    "Postman": ("Postman key", "PMAK" + f"-{some(_HEX, 24)}-{some(_HEX, 34)}"),
    "Replicate": ("Replicate token", "r8" + "_" + some(_WORD, 37)),
    "Linear": ("Linear key", "lin" + "_api_" + some(_WORD, 40)),
    "NVIDIA": ("NVIDIA key", "nvapi" + "-" + some(_WORD, 64)),
    "Stripe hook": ("webhook secret", "whsec" + "_" + some(_WORD, 32)),
    "WireGuard": ("WireGuard key", "Private" + f"Key = {some(_BASE64, 42)}A="),
    "JWK": ("private key", '{"kty": "OKP", "crv": "Ed25519", "d": "' + some(_URL, 43) + '"}'),
    "URL with %": ("password in a URL", "mysql://root:" + "p%40s" + "s%2FW0rd9@db.corp.net/a"),
    "URL of IPv6": ("password in a URL", "mysql://root:" + "kX9vQz7Lw2Tr" + "@[fd00::1]/a"),
}

ALL = {f"key {name}": sample for name, sample in KEYS.items()} | TOKENS
