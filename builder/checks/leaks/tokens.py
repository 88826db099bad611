"""Access tokens that can be told by their form.

Each has in it what its issuer put there for this purpose. What has no such mark, as 32 hexadecimal
digits have not, is only found beside its name, or not at all. JSON web tokens are left alone: they
are everywhere, and nearly all have expired.
https://docs.github.com/en/code-security/reference/secret-security/supported-secret-scanning-patterns
"""

import re
from dataclasses import dataclass

from builder.checks.leaks.placeholders import is_random

_LONGEST = 1024  # bytes of a token, from its needle on
_LONGEST_HEAD = 128  # and before it


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A kind of token.

    Attributes:
        kind: in words.
        needles: bytes of which one is in each.
        pattern: of what stands at the needle, of which ``secret`` is a group; compiled when it is
            first needed, as few builds have anything that comes near one.
        opening: what the token begins with, when the needle is further on in it.
        strong: whether it is looked for in what others published too.
        public: beginnings of those that everybody knows.
    """

    kind: str
    needles: tuple[bytes, ...]
    pattern: bytes
    opening: bytes = b""
    strong: bool = False
    public: tuple[bytes, ...] = ()

    def find(self, data: bytes, at: int) -> tuple[int, str] | None:
        """Where the token begins of which a needle is at ``at``, and its kind.

        No more is read than is near the needle, as a file may be full of them.
        """
        start = data.rfind(self.opening, max(0, at - _LONGEST_HEAD), at) if self.opening else at
        if start < 0:
            return None
        regex = re.compile(self.pattern)  # which keeps what it compiled
        found = regex.match(data, start, at + _LONGEST)
        if found is None or found.end() <= at:
            return None
        secret = found["secret"]
        if not is_random(secret) or (self.public and secret.startswith(self.public)):
            return None
        return found.start("secret"), self.kind


_AROUND = "[A-Za-z0-9_-]"
_APART = f"(?<!{_AROUND})"


def _token(  # noqa: PLR0913 - the table below is read by them
    kind: str,
    needles: str,
    head: str,
    secret: str,
    tail: str = "",
    *,
    before: str = "",
    opening: str = "",
    strong: bool = False,
    public: tuple[bytes, ...] = (),
) -> Token:
    """A token that no word goes on with; only ``secret`` is random in it.

    What is ``before`` its needle has a fixed length.
    """
    start = f"(?<={_APART}{before})" if before else _APART
    return Token(
        kind=kind,
        needles=tuple(needle.encode() for needle in needles.split()),
        pattern=f"{start}{head}(?P<secret>{secret}){tail}(?!{_AROUND})".encode(),
        opening=opening.encode(),
        strong=strong,
        public=public,
    )


def _named(
    kind: str, needles: str, name: str, secret: str, public: tuple[bytes, ...] = ()
) -> Token:
    """A secret beside its name, in any notation: ``name=...``, ``"name": "..."``, ``name: ...``."""
    value = rf"[\"']?[ \t]{{0,4}}[:=][ \t]{{0,4}}[\"']?(?P<secret>{secret})"
    return Token(
        kind=kind,
        needles=tuple(needle.encode() for needle in needles.split()),
        pattern=f"(?i:{name}){value}(?![A-Za-z0-9+/])".encode(),
        public=public,
    )


_WORD, _URL, _BASE64, _HEX = "[A-Za-z0-9]", "[A-Za-z0-9_-]", "[A-Za-z0-9+/]", "[0-9a-f]"
# The keys of the storage and database emulators, the same on every machine:
# https://learn.microsoft.com/azure/storage/common/storage-use-azurite
_EMULATORS = (b"Eby8vdM02xNOcqFlqUwJ", b"C2y6yDjf5/R+ob0N8A7C")

GOOGLE_API_KEY = "Google API key"

_CLOUDS = (
    _token("AWS access key", "AKIA", "AKIA", "[A-Z2-7]{16}", strong=True),
    _token("AWS access key", "ASIA", "ASIA", "[A-Z2-7]{16}"),
    _named(
        "AWS secret key",
        "secret_access_key SECRET_ACCESS_KEY secretAccessKey SecretAccessKey",
        "secret_?access_?key",
        f"{_BASE64}{{40}}",
    ),
    _token(GOOGLE_API_KEY, "AIza", "AIza", f"{_URL}{{35}}"),
    _token("Google client secret", "GOCSPX-", "GOCSPX-", f"{_URL}{{28}}"),
    _token("DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", "do[por]_v1_", f"{_HEX}{{64}}"),
    _named(
        "Azure storage key",
        "AccountKey account_key ACCOUNT_KEY accountKey AZURE_STORAGE_KEY",
        "(?:account_?key|azure_storage_key)",
        f"{_BASE64}{{86}}==",
        _EMULATORS,
    ),
    _named(
        "Azure access key",
        "AccessKey accesskey",
        "access_?key",
        f"{_BASE64}{{43}}=",
    ),
    _named("Azure signature", "sig=", "(?<=[?&])sig", "[A-Za-z0-9%+/]{43,60}={0,2}"),
    # CASK keys of Azure's services: https://github.com/microsoft/security-utilities
    _token("Azure service key", "JQQJ99", "", f"JQQJ99{_WORD}{{26}}", before=f"{_WORD}{{52}}"),
    _token("Azure client secret", "Q~", "", r"Q~[\w~.-]{31,34}", before=r"[\w~.-]{3}\d"),
)
_FORGES = (
    _token("GitHub token", "ghp_", "ghp_", f"{_WORD}{{36}}", strong=True),
    _token("GitHub token", "gho_ ghu_ ghs_ ghr_", "gh[ousr]_", f"{_WORD}{{36,}}"),
    _token(
        "GitHub token", "github_pat_", "github_pat_", f"{_WORD}{{22}}_{_WORD}{{59}}", strong=True
    ),
    _token("GitLab token", "glpat-", "glpat-", f"{_URL}{{20,}}(?:\\.{_WORD}{{2,}})*", strong=True),
    _token(
        "GitLab token",
        "gldt- glrt- glptt- glsoat- glcbt- glft- glagent- gloas-",
        "gl(?:dt|rt|ptt|soat|cbt|ft|agent|oas)-",
        f"{_URL}{{20,}}",
    ),
    _token("npm token", "npm_", "npm_", f"{_WORD}{{36}}"),
    _token("PyPI token", "pypi-AgE", "pypi-AgE", f"{_URL}{{70,}}", strong=True),
    _token("Postman key", "PMAK-", "PMAK-", f"{_HEX}{{24}}-{_HEX}{{34}}"),
    _token("Linear key", "lin_api_", "lin_api_", f"{_WORD}{{40}}"),
)
_MODELS = (
    # Other things are called so, too, but then in small letters.
    _token("Hugging Face token", "hf_", "hf_", f"(?=[a-z0-9]*[A-Z]){_WORD}{{34,40}}"),
    _token("OpenAI key", "T3BlbkFJ", "sk-", f"{_URL}{{20,}}T3BlbkFJ{_URL}{{20,}}", opening="sk-"),
    _token("Anthropic key", "sk-ant-", r"sk-ant-[a-z]+\d\d-", f"{_URL}{{80,}}", strong=True),
    _token("Groq key", "gsk_", "gsk_", f"{_WORD}{{52}}"),
    _token("Replicate token", "r8_", "r8_", f"{_WORD}{{37}}"),
    _token("NVIDIA key", "nvapi-", "nvapi-", f"{_URL}{{60,70}}"),
    _token("Databricks token", "dapi", "dapi", rf"{_HEX}{{32}}(?:-\d)?"),
)
_MESSAGES = (
    _token("Slack token", "xoxb-", "xoxb-", r"\d{9,}-[A-Za-z0-9-]{20,}", strong=True),
    _token("Slack token", "xoxa- xoxe- xoxp- xoxr- xoxs-", "xox[aeprs]-", r"[A-Za-z0-9.-]{24,}"),
    _token("Slack token", "xapp-", r"xapp-\d-", rf"[A-Z0-9]{{9,}}-\d{{9,}}-{_HEX}{{64}}"),
    _token(
        "Slack webhook",
        "hooks.slack.com",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/",
        rf"T{_WORD}{{8,}}/{_WORD}{{9,}}/{_WORD}{{20,}}",
    ),
    *(
        _token(
            "Discord webhook",
            "/api/webhooks/",
            r"/api/webhooks/\d{17,20}/",
            f"{_URL}{{60,}}",
            before=host,
        )
        for host in (r"discord\.com", r"discordapp\.com")
    ),
    _token("SendGrid key", "SG.", r"SG\.", rf"{_URL}{{22}}\.{_URL}{{43}}"),
    _token("Twilio key", "SK", "SK", f"{_HEX}{{32}}"),
    _named("Twilio token", "auth_token AUTH_TOKEN authToken", "auth_?token", f"{_HEX}{{32}}"),
    *(
        _token("Telegram token", ":AA", ":", f"AA{_URL}{{33}}", before=rf"\d{{{digits}}}")
        for digits in (8, 9, 10)
    ),
)
_SERVICES = (
    _token("Stripe key", "k_live_", "k_live_", f"{_WORD}{{24,}}", before="[rs]", strong=True),
    _token("webhook secret", "whsec_", "whsec_", f"{_BASE64}{{32,}}={{0,2}}"),
    _token("Shopify token", "shpat_ shpca_ shppa_ shpss_", "shp(?:at|ca|pa|ss)_", f"{_HEX}{{32}}"),
    _token("Grafana token", "glsa_", "glsa_", f"{_WORD}{{32}}_[0-9A-Fa-f]{{8}}"),
    _token("Sentry token", "sntrys_ sntryu_", "sntry[su]_", r"[\w+/=-]{60,}"),
    _token(
        "Doppler token",
        "dp.st. dp.pt. dp.ct. dp.sa.",
        r"dp\.(?:st|pt|ct|sa)\.(?:[a-z0-9_-]{2,35}\.)?",
        f"{_WORD}{{40,44}}",
    ),
    _token(
        "Tailscale key", "tskey-", "tskey-(?:auth|api|client|webhook)-", f"{_WORD}+-{_WORD}{{20,}}"
    ),
    _token("Vault token", "hvs.", r"hvs\.", f"{_URL}{{24,}}"),
    _token("age key", "AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1", "[A-Z0-9]{58}"),
    # https://www.wireguard.com/papers/wireguard.pdf: 32 bytes.
    _named("WireGuard key", "PrivateKey", "PrivateKey", f"{_BASE64}{{42}}[AEIMQUYcgkosw048]="),
)

TOKENS = (*_CLOUDS, *_FORGES, *_MODELS, *_MESSAGES, *_SERVICES)
