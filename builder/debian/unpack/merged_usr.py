"""The links that make ``/bin``, ``/lib`` and ``/sbin`` the directories of those names in ``/usr``.

Every Debian root has them since version 12, but only from version 13 on does a package ship them;
before, whoever makes a root makes them first. https://wiki.debian.org/UsrMerge
"""

from layers.entries import DirEntry, Entry, SymlinkEntry

_EVERYWHERE = ("bin", "lib", "sbin")
# Where the ABI puts the dynamic loader into /lib64.
_LIB64 = frozenset({"amd64", "loong64", "mips64el", "ppc64", "ppc64el", "sparc64"})


def merged_usr(architecture: str) -> tuple[Entry, ...]:
    """What an empty root needs before packages are laid on it.

    Args:
        architecture: as Debian calls it: ``amd64``.
    """
    names = (*_EVERYWHERE, "lib64") if architecture in _LIB64 else _EVERYWHERE
    return (
        DirEntry(path="usr"),
        *(DirEntry(path=f"usr/{name}") for name in names),
        *(SymlinkEntry(path=name, target=f"usr/{name}") for name in names),
    )
