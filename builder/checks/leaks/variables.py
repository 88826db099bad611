"""Variables that hold a secret, as far as their names tell."""

import re

# A name that goes on, as TOKEN_FILE and PASSWORD_MIN_LENGTH, is of something else.
_PASSWORD_NAME = re.compile(
    r"(?i:.*(?:PASSWORD|PASSWD)|(?:.*_)?(?:PASS|PASSPHRASE|SECRET|SECRET_?KEY(?:_BASE)?)|.+_PWD)"
)
_TOKEN_NAME = re.compile(
    r"(?i:(?:.*_)?(?:TOKEN|CREDS|CREDENTIALS?|REDIS_AUTH|BASIC_AUTH"
    r"|(?:API|PRIVATE|ACCESS|AUTH|SIGNING|ENCRYPTION|ENC|FERNET|JWT|MASTER)_?KEY))"
)
# A place, an address, a switch, a duration or what a shell or a person puts in later.
_NO_SECRET = re.compile(
    r"(?i:|[~.]{0,2}/.*|[a-z][a-z\d+.-]*://[^\s@?]*|true|false|yes|no|on|off|none|null"
    r"|[\d.]{1,6}|\d+ ?(?:ms|s|m|h|d|w|sec|min|hours?|days?|[kmg]i?b)|\$.*|[<\[{].*[>\]}])"
)
# What stands beside the names of tokens, and is a setting: ``include``, ``same-origin``, a bound.
_NO_TOKEN = re.compile(r"[\d._]+|[A-Za-z]{1,12}|[a-z]{1,12}(?:[ _-][a-z]{1,12}){1,3}")


def holds_secret(name: str, value: str) -> bool:
    """Whether a variable has the name of a secret, and a value that may be one."""
    if _NO_SECRET.fullmatch(value):
        return False
    if _PASSWORD_NAME.fullmatch(name):
        return True
    return bool(_TOKEN_NAME.fullmatch(name)) and not _NO_TOKEN.fullmatch(value)
