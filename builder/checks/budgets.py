"""Whether an image is as small as its user wants it."""

from collections.abc import Iterator

from builder.checks.finding import Finding, Severity
from builder.checks.subject import Subject
from builder.settings import ChecksSettings
from builder.units import decimal

BASE = "base"
"""What the layers of the base are called among all layers."""

_SHOWN = 3


def check_budgets(subject: Subject, checks: ChecksSettings) -> list[Finding]:
    """Compare sizes and numbers of layers with their bounds.

    Args:
        subject: ``layers`` and ``previous`` count; sizes are compressed.
        checks: the bounds; one that is not set finds nothing.
    """
    found = [_size(subject, checks), _layers(subject, checks), _growth(subject, checks)]
    return [finding for finding in found if finding] + list(_each_layer(subject, checks))


def _size(subject: Subject, checks: ChecksSettings) -> Finding | None:
    size, most = _whole(subject), checks.max_size
    if most is None or size <= most:
        return None
    return _finding(
        "max-size",
        f"the layers have {_against(size, most)}; the largest: {_largest(subject)}",
        "leave something out, choose a smaller base, or raise max-size",
    )


def _layers(subject: Subject, checks: ChecksSettings) -> Finding | None:
    count, most = len(subject.layers), checks.max_layers
    if most is None or count <= most:
        return None
    return _finding(
        "max-layers",
        f"there are {count} layers, and there may be {most}",
        'choose layers = "single" or groups in [tool.builder], or raise max-layers',
    )


def _growth(subject: Subject, checks: ChecksSettings) -> Finding | None:
    if checks.max_growth is None or subject.previous is None:
        return None
    size, before = _whole(subject), subject.previous
    most = checks.max_growth.beyond(before)
    if size <= most:
        return None
    return _finding(
        "max-growth",
        f"the layers grew from {decimal(before)} to {decimal(size)}, by {decimal(size - before)}, "
        f"and may grow by {decimal(most - before)}; the largest: {_largest(subject)}",
        "leave out what is new and not needed, or raise max-growth once",
    )


def _each_layer(subject: Subject, checks: ChecksSettings) -> Iterator[Finding]:
    most = checks.max_layer_size
    for name, size in subject.layers:
        if most is not None and size > most:
            way = (
                "choose a smaller base"
                if name == BASE
                else 'spread it over several with layers = "per-package" in [tool.builder]'
            )
            yield _finding(
                "max-layer-size",
                f"it has {_against(size, most)}",
                f"{way}, or raise max-layer-size",
                layer=name,
            )


def _against(size: int, most: int) -> str:
    """A size and its bound, to the byte where they would read the same."""
    got, wanted = decimal(size), decimal(most)
    if got == wanted:
        got, wanted = f"{size:,} bytes", f"{most:,}"
    return f"{got} to move, and may have {wanted}"


def _whole(subject: Subject) -> int:
    return sum(size for _, size in subject.layers)


def _largest(subject: Subject) -> str:
    largest = sorted(subject.layers, key=lambda layer: -layer[1])[:_SHOWN]
    return ", ".join(f"{name} {decimal(size)}" for name, size in largest)


def _finding(check: str, message: str, fix: str, *, layer: str = "") -> Finding:
    return Finding(check=check, severity=Severity.ERROR, message=message, fix=fix, layer=layer)
