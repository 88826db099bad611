"""Where the paths of packages lead, through the symbolic links of the root and of the packages."""

from collections.abc import Collection, Iterable, Mapping

from builder.errors import PackageError
from builder.rootfs.file_index import FileIndex

_MAX_ROUNDS = 10


class Places:
    """Real paths: those that no symbolic link leads away from.

    dpkg's rules for links and directories of one name: a directory never gives way to a link, a
    link that leads to a directory never gives way to one, and between packages, where dpkg goes by
    the order of unpacking, a link to a directory stays a link.

    Args:
        files: the root.
        links: of the packages, target by path, both as packed.
        directories: of the packages, as packed.

    Raises:
        PackageError: the links of the packages never come to rest.
        BaseError: links run in a circle.
    """

    def __init__(
        self, files: FileIndex, links: Mapping[str, str], directories: Collection[str]
    ) -> None:
        self._files = files
        self._known: dict[str, str] = {}
        self._index = _links(files.symlinks)
        self.links: Mapping[str, str] = {}
        for _ in range(_MAX_ROUNDS):
            laid = self._without_obstacles(self._laid(links), directories)
            if laid == self.links:
                return
            self.links, self._index = laid, _links({**files.symlinks, **laid})
            self._known.clear()
        raise PackageError(f"the links of these packages move each other: {sorted(self.links)}")

    def of(self, path: str) -> str:
        """Where what a package ships at a path stands: its directory is followed, it is not."""
        directory, slash, name = path.rpartition("/")
        return f"{self.directory(directory)}/{name}".lstrip("/") if slash else path

    def directory(self, path: str) -> str:
        """Where a directory of that path is."""
        found = self._known.get(path)
        if found is None:
            found = self._known[path] = self._index.resolve(path)
        return found

    def _laid(self, links: Mapping[str, str]) -> dict[str, str]:
        """The links that come to stand in the root, by real path."""
        laid: dict[str, str] = {}
        for path, target in sorted(links.items()):
            real = self.of(path)
            if real not in self._files.directories and not self._leads_there_already(real, target):
                laid[real] = target
        return laid

    def _leads_there_already(self, real: str, target: str) -> bool:
        if self._files.symlinks.get(real) is None:
            return False
        directory = real.rpartition("/")[0]
        there = self._files.resolve(real)
        wanted = target if target.startswith("/") else f"{directory}/{target}"
        return there in self._files.directories and self._files.resolve(wanted) == there

    def _without_obstacles(
        self, laid: dict[str, str], directories: Iterable[str]
    ) -> dict[str, str]:
        """Without the links in whose place a package has a directory, and that lead to none."""
        index = _links({**self._files.symlinks, **laid})
        places = {path: index.resolve_parent(path) for path in directories}
        both = {place for place in places.values() if place in laid}
        if not both:
            return laid
        there = {index.resolve(path) for path, place in places.items() if place not in both}
        return {
            path: target
            for path, target in laid.items()
            if path not in both
            or (end := index.resolve(path)) in there
            or end in self._files.directories
        }


def _links(symlinks: Mapping[str, str]) -> FileIndex:
    return FileIndex(symlinks=symlinks)
