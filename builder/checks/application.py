"""Whether what the image shall run is in it."""

from collections.abc import Collection

from builder.errors import CheckError
from builder.settings import Settings


def check_application(settings: Settings, paths: Collection[str], site_packages: str) -> None:
    """Make sure that the app's module and its server are there, without importing anything.

    Says nothing when ``cmd`` or ``entrypoint`` is the user's own, or when ``.pth`` files may add
    places to import from: only a start of the container can tell then.

    Args:
        settings: ``app`` and where things are.
        paths: of all files that the new layers hold, relative to the image root.
        site_packages: absolute in-image path.

    Raises:
        CheckError: the module or uvicorn is missing; the message says where it was looked for.
    """
    if settings.app is None or settings.cmd is not None or settings.entrypoint is not None:
        return
    if f"{settings.venv}/bin/uvicorn".lstrip("/") not in paths:
        raise CheckError(
            f"the image would run uvicorn, which {settings.venv} does not have",
            hint="uv add uvicorn, or choose another command: [tool.builder] cmd",
        )
    site = site_packages.lstrip("/")
    if any(path.endswith(".pth") and path.startswith(f"{site}/") for path in paths):
        return
    module = settings.app.partition(":")[0]
    roots = (site, settings.workdir.lstrip("/"), f"{settings.workdir}/src".lstrip("/"))
    if not any(_holds(paths, root, module) for root in roots):
        raise CheckError(
            f"the image would run {settings.app}, and has no module {module}; looked in "
            + ", ".join(f"/{root}" for root in roots),
            hint="correct [tool.builder] app, or see what .dockerignore leaves out",
        )


def _holds(paths: Collection[str], root: str, module: str) -> bool:
    stem = f"{root}/{module.replace('.', '/')}"
    if f"{stem}.py" in paths or f"{stem}/__init__.py" in paths:
        return True
    # An extension module carries its ABI in its name; a namespace package has no file at all.
    return any(path.startswith(f"{stem}.") and path.endswith(".so") for path in paths)
