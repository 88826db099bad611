"""What scripts ask of dpkg and of the machine.

https://manpages.debian.org/bookworm/dpkg/dpkg-query.1.en.html
"""

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from builder.debian.effects.condition import COMPARISONS
from builder.debian.effects.options import parse_options
from builder.debian.effects.printf import unescaped
from builder.debian.effects.shell_call import DONE, FAILED, MAYBE, Answer, Call, Command
from builder.debian.effects.unknown import UNKNOWN
from builder.debian.versions import compare
from builder.errors import PackageError

# What the kernel calls the machines that Debian has names for.
_MACHINES = {
    "amd64": "x86_64", "arm64": "aarch64", "armel": "armv5tel", "armhf": "armv7l", "i386": "i686",
    "loong64": "loongarch64", "mips64el": "mips64", "mipsel": "mips", "ppc64el": "ppc64le",
    "riscv64": "riscv64", "s390x": "s390x",
}  # fmt: skip
_FIELD = re.compile(r"\$\{([A-Za-z:-]+)\}")
_SIGNS = {
    "<<": "-lt", "<=": "-le", "<": "-le", "=": "-eq", ">=": "-ge", ">": "-ge", ">>": "-gt",
    "lt": "-lt", "le": "-le", "eq": "-eq", "ne": "-ne", "ge": "-ge", "gt": "-gt",
}  # fmt: skip
_OLD = {"rm_conffile", "mv_conffile", "symlink_to_dir", "dir_to_symlink"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """Packages that scripts find.

    Attributes:
        versions: of all, those that are laid on the root included, by name.
        before: versions of those that the root had already, by name.
        listed: absolute paths in those that are laid on the root, by name.
        is_known: False when nothing is said of packages: what scripts ask of them is unknown.
    """

    versions: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, str] = field(default_factory=dict)
    listed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    is_known: bool = True


def package_queries(  # noqa: C901 - one command after the other
    package: str, architecture: str, packages: Packages
) -> Mapping[str, Command]:
    """Commands that answer for one package's scripts.

    Args:
        package: its name.
        architecture: of the root, as Debian calls it.
        packages: that are there.
    """
    machine = _MACHINES.get(architecture, UNKNOWN)

    def uname(call: Call) -> Answer:
        known = {"-s": "Linux", "-m": machine, "-o": "GNU/Linux"}
        options = parse_options(call.arguments).options or {"-s": ""}
        if len(options) > 1:
            return Answer(0, f"{UNKNOWN}\n")
        return Answer(0, f"{known.get(next(iter(options)), UNKNOWN)}\n")

    def dpkg(call: Call) -> Answer:
        words = [word for word in call.arguments if word != "--"]
        match words[:1]:
            case ["--compare-versions"]:
                return _compare_versions(*[*words[1:], "", "", ""][:3])
            case ["--print-architecture"]:
                return Answer(0, f"{architecture}\n")
            case ["--print-foreign-architectures"]:
                return DONE
            case ["--validate-version" | "--assert-multi-arch" | "--assert-versioned-provides"]:
                return DONE
            case _:
                return query(call)

    def query(call: Call) -> Answer:  # noqa: PLR0911 - one for each option
        parsed = parse_options(call.arguments, {"-f", "--showformat", "--admindir"})
        names = [name.partition(":")[0] for name in parsed.operands]
        is_open = UNKNOWN in "".join(call.arguments) or parsed.has("--admindir")
        if is_open or not packages.is_known:
            return MAYBE
        found = [_named(packages.versions, name) for name in names]
        status = int(not all(found))
        matching = [name for group in found for name in group]
        if parsed.has("-s", "--status"):
            return Answer(status, "".join(_paragraph(n, packages.versions[n]) for n in matching))
        if parsed.has("-l", "--list"):
            return Answer(status, UNKNOWN if matching or not names else "")
        if parsed.has("-W", "--show") and names:
            form = parsed.get("-f", "--showformat") or "${Package}\\t${Version}\\n"
            lines = [_formatted(form, n, packages.versions[n]) for n in matching]
            return Answer(status, "".join(lines))
        if parsed.has("-L", "--listfiles") and all(name in packages.listed for name in names):
            lines = [path for name in names for path in packages.listed[name]]
            return Answer(0, "".join(f"{path}\n" for path in lines))
        if parsed.has("-L", "--listfiles") and not any(found):
            return FAILED
        if parsed.has("-S", "--search") and _is_owned(packages, names):
            return Answer(0, UNKNOWN)
        return MAYBE

    def helper(call: Call) -> Answer:
        """It moves what an earlier version of the package left, where that is still there."""
        kind, path = [*call.arguments, "", ""][:2]
        before = packages.before.get(package)
        if kind == "supports" or before in {None, packages.versions.get(package)}:
            return DONE
        if kind not in _OLD or UNKNOWN in path:
            return call.left_undone()
        is_link = call.files.target(path) is not None
        is_there = {
            "symlink_to_dir": is_link,
            "dir_to_symlink": call.files.is_directory(path) and not is_link,
        }.get(kind, call.files.stands(path))
        return call.left_undone() if is_there else DONE

    return {
        "dpkg": dpkg,
        "dpkg-maintscript-helper": helper,
        "dpkg-query": query,
        "uname": uname,
        "arch": lambda _: Answer(0, f"{machine}\n"),
    }


def _is_owned(packages: Packages, paths: list[str]) -> bool:
    """Whether each path is one of a package's, ``/usr`` before it or not."""
    listed = {path for paths in packages.listed.values() for path in paths}
    return all(listed & {path, f"/usr{path}", path.removeprefix("/usr")} for path in paths)


def _named(versions: Mapping[str, str], name: str) -> list[str]:
    name = name.partition(":")[0]
    return sorted(one for one in versions if one == name or fnmatch.fnmatchcase(one, name))


def _paragraph(name: str, version: str) -> str:
    """Of what dpkg knows of a package, that which scripts look for."""
    return f"Package: {name}\nStatus: install ok installed\nVersion: {version}\n{UNKNOWN}\n\n"


def _formatted(form: str, name: str, version: str) -> str:
    known = {
        "Package": name,
        "binary:Package": UNKNOWN,
        "Version": version,
        "Status": "install ok installed",
        "db:Status-Status": "installed",
        "db:Status-Abbrev": "ii ",
        "db:Status-Want": "install",
        "db:Status-Eflag": "ok",
    }
    return unescaped(_FIELD.sub(lambda one: known.get(one[1], UNKNOWN), form))


def _compare_versions(left: str, operator: str, right: str) -> Answer:
    """No version is before every other; for operators that end in ``-nl`` it is after."""
    if UNKNOWN in left + right:
        return MAYBE
    plain = operator.removesuffix("-nl")
    if not left or not right:
        order = bool(left) - bool(right)
        order = -order if operator.endswith("-nl") else order
    else:
        try:
            order = compare(left, right)
        except PackageError:
            return FAILED
    comparison = COMPARISONS.get(_SIGNS.get(plain, ""))
    return DONE if comparison and comparison(order, 0) else FAILED
