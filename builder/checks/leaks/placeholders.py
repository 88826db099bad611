"""What only stands where a secret would: examples in documentation, templates, variables."""

import re
from itertools import pairwise

# Of a thousand random tokens less than one has any of these in it, or a sequence.
_WORDS = re.compile(
    rb"example|sample|dummy|placeholder|redacted|changeme|change-me|change_me|secret|password|token"
    rb"|your|fake|test|xxxx|todo|deadbeef",
    re.IGNORECASE,
)
_SEQUENCE = 5
_DIFFERENT = 8  # of 32 hexadecimal digits 14 differ
_PASSWORDS = re.compile(
    rb"(?:your|my|the|an?|some|new|old|super|db|user|app|admin|root|test|default|postgres|mysql)?[-_]?"
    rb"(?:pass|passwd|passw0rd|password|pwd|pw|secret|token|key|user|admin|root|guest|none|null|test"
    rb"|postgres|mysql|redis|rabbitmq|example|sample|dummy|fake|placeholder|redacted|todo"
    rb"|change[-_]?(?:me|this|it))[-_]?(?:here|value|\d{0,4})",
    re.IGNORECASE,
)
_VARIABLE = re.compile(rb"[<\[{(]|[$%]|\*\*|\.\.\.|xxx|^_+$|^x+$", re.IGNORECASE)
_SHORTEST_PASSWORD = 6


def is_random(token: bytes) -> bool:
    """Whether a token may be real: no words, no sequences, and enough different characters."""
    if _WORDS.search(token) or len(set(token)) < min(_DIFFERENT, len(token) // 3):
        return False
    rising = falling = same = 1
    for before, after in pairwise(token):
        rising = rising + 1 if after == before + 1 else 1
        falling = falling + 1 if after == before - 1 else 1
        same = same + 1 if after == before else 1
        if max(rising, falling, same) >= _SEQUENCE:
            return False
    return True


def is_password(text: bytes, user: bytes = b"") -> bool:
    """Whether a text that stands for a password may be one that somebody uses."""
    return not (
        len(text) < _SHORTEST_PASSWORD
        or text.lower() == user.lower()
        or _PASSWORDS.fullmatch(text)
        or _VARIABLE.search(text)
    )
