"""The options of a command in a script, told from its operands."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parsed:
    """Options with their values (empty for those that take none), and what is no option."""

    options: dict[str, str]
    operands: list[str]

    def has(self, *names: str) -> bool:
        """Whether any of the options is given."""
        return any(name in self.options for name in names)

    def get(self, *names: str) -> str | None:
        """The value of the first of the options that is given."""
        return next((self.options[name] for name in names if name in self.options), None)


def parse_options(arguments: Sequence[str], with_value: Collection[str] = ()) -> Parsed:
    """Tell options from operands; short ones may be joined, ``--`` ends them.

    Args:
        arguments: of the command.
        with_value: options that take one, with their dashes.
    """
    options: dict[str, str] = {}
    operands: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            operands.extend(rest)
        elif argument.startswith("--"):
            name, equals, value = argument.partition("=")
            options[name] = value if equals or name not in with_value else next(rest, "")
        elif argument.startswith("-") and len(argument) > 1:
            for index, letter in enumerate(argument[1:], 2):
                name = f"-{letter}"
                if name in with_value:
                    options[name] = argument[index:] or next(rest, "")
                    break
                options[name] = ""
        else:
            operands.append(argument)
    return Parsed(options, operands)
