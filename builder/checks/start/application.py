"""Whether what the image shall run is in it."""

from collections.abc import Collection, Iterable

from builder.checks.finding import Finding, Severity
from builder.settings import Settings
from layers.entries import Entry, FileEntry


def check_application(
    settings: Settings, contents: Iterable[str | Entry], site_packages: str
) -> list[Finding]:
    """Find out whether the app's module and its server are there, without importing anything.

    Says nothing when ``cmd`` or ``entrypoint`` is the user's own, or when ``.pth`` files add places
    to import from: only a start of the container can tell then.

    Args:
        settings: ``app`` and where things are.
        contents: what the new layers hold; a path alone, relative to the image root, is a file
            that cannot be opened, and what a ``.pth`` file does is not known then.
        site_packages: absolute in-image path.

    Returns:
        At most one: what starts first fails first.
    """
    if settings.app is None or settings.cmd is not None or settings.entrypoint is not None:
        return []
    found = {item if isinstance(item, str) else item.path: item for item in contents}
    paths = found.keys()
    if f"{settings.venv}/bin/uvicorn".lstrip("/") not in paths:
        return [_no_server(settings)]
    site = site_packages.lstrip("/")
    if any(_adds_places(item) for path, item in found.items() if _is_pth(path, site)):
        return []
    module = settings.app.partition(":")[0]
    roots = (site, settings.workdir.lstrip("/"), f"{settings.workdir}/src".lstrip("/"))
    if any(_holds(paths, root, module) for root in roots):
        return []
    return [_no_module(settings.app, roots)]


def _no_server(settings: Settings) -> Finding:
    return Finding(
        check="missing-command",
        severity=Severity.ERROR,
        message=f"the image would run uvicorn, which {settings.venv} does not have",
        fix="uv add uvicorn, or choose another command: [tool.builder] cmd",
    )


def _no_module(app: str, roots: Iterable[str]) -> Finding:
    return Finding(
        check="missing-module",
        severity=Severity.ERROR,
        message=f"the image would run {app}, and has no module {app.partition(':')[0]}; looked in "
        + ", ".join(f"/{root}" for root in roots),
        fix="correct [tool.builder] app, or see what .dockerignore leaves out",
    )


def _is_pth(path: str, site: str) -> bool:
    """Python reads those that lie in site-packages itself, and no others."""
    return path.endswith(".pth") and path.rpartition("/")[0] == site


def _adds_places(pth: str | Entry) -> bool:
    """Whether a ``.pth`` file names a directory, or imports the finder of an editable install.

    Other imports run code at every start, as setuptools' ``distutils-precedence.pth`` does.
    https://docs.python.org/3/library/site.html
    """
    if not isinstance(pth, FileEntry):
        return True
    with pth.content.open() as stream:
        lines = stream.read().decode("utf-8", "replace").splitlines()
    return any(_is_place(line.rstrip()) for line in lines)


def _is_place(line: str) -> bool:
    if line.startswith(("import ", "import\t")):
        return "__editable__" in line
    return bool(line) and not line.startswith("#")


def _holds(paths: Collection[str], root: str, module: str) -> bool:
    stem = f"{root}/{module.replace('.', '/')}"
    if f"{stem}.py" in paths or f"{stem}/__init__.py" in paths:
        return True
    # An extension module carries its ABI in its name; a namespace package has no file at all.
    return any(path.startswith(f"{stem}.") and path.endswith(".so") for path in paths)
