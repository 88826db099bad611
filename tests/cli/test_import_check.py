"""``imports = true``: the application is imported before there is an image."""

from collections.abc import Callable
from pathlib import Path

import pytest

from builder.oci.platform import Platform
from builder.store.layout import Layout
from tests.cli.conftest import MACHINES, Place, base_layer, reference
from tests.cli.running import Running, nothing_left
from tests.images import make_image, make_layer
from tests.process_end import wait_for_end

OTHER = next(name for name in MACHINES if name != Platform.host().architecture)
MAIN = "import os\napp = os.environ['MODE'] + os.environ['DATABASE']\n"


@pytest.fixture
def importing(place: Place) -> Place:
    place.replace(
        "[tool.builder]",
        '[tool.builder]\napp = "demo.main:app"\nchecks.imports = true\n'
        'env = { MODE = "fast" }\nhealth.env = { DATABASE = "none" }',
    )
    (place.project / "src/demo/main.py").write_text(MAIN)
    return place


def test_an_app_that_can_be_imported_is_built(importing: Place) -> None:
    first = reference(importing.build())
    assert reference(importing.build()) == first


def test_an_app_that_cannot_be_imported_is_refused(importing: Place) -> None:
    (importing.project / "src/demo/main.py").write_text("import demo.missing\n")
    said = importing.refused(code=1)
    assert (
        "  import: demo.main:app cannot be imported: "
        "ModuleNotFoundError: No module named 'demo.missing' (demo/main.py, line 1)\n"
    ) in said
    importing.replace("checks.imports = true", "checks.imports = false")
    reference(importing.build())


def test_what_is_found_again_is_imported_too(importing: Place) -> None:
    (importing.project / "src/demo/main.py").write_text("raise ValueError('no')\n")
    importing.replace("checks.imports = true", "checks.imports = false")
    reference(importing.build())
    importing.replace("checks.imports = false", "checks.imports = true")
    told = "demo.main:app cannot be imported: ValueError: no (demo/main.py, line 1)\n"
    assert told in importing.refused(code=1)


def test_what_is_for_another_machine_is_not_imported_and_that_is_said(
    importing: Place, tmp_path: Path
) -> None:
    (importing.project / "src/demo/main.py").write_text("import demo.missing\n")
    layout = Layout(tmp_path / "other")
    run = {"Env": ["PATH=/usr/local/bin:/usr/bin"]}
    platform = Platform("linux", OTHER)
    image = make_image([make_layer(layout, base_layer(OTHER))], run, platform)
    layout.put(image.config.raw)
    layout.put(image.manifest.raw)
    layout.tag("base", image.descriptor)
    done = importing.on_base(f"oci:{layout.root}").build("--platform", str(platform))
    assert f"not imported here, being for {platform}: demo.main:app\n" in done.stderr


def test_without_an_app_nothing_is_imported_and_that_is_said(place: Place) -> None:
    place.replace("[tool.builder]", "[tool.builder]\nchecks.imports = true")
    assert "nothing is imported: [tool.builder] names no app\n" in place.build().stderr


@pytest.mark.parametrize("stop", [Running.ctrl_c, Running.cancel], ids=["ctrl-c", "cancel"])
def test_stopped_while_it_is_imported(
    importing: Place, tmp_path: Path, stop: Callable[[Running], None]
) -> None:
    left = tmp_path / "left"
    (importing.project / "src/demo/main.py").write_text(
        "import os, pathlib, signal, subprocess\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        f"left = pathlib.Path({str(left)!r})\n"
        "left.write_text(f'{os.getpid()} {child.pid} .')\n"
        "child.wait()\n"
    )
    with nothing_left(importing), Running(importing, ["--no-load"]) as running:
        running.until(lambda: left.exists() and left.read_text().endswith("."))
        stop(running)
        assert running.ended(130).endswith("interrupted\n")
    for pid in left.read_text().split()[:2]:
        wait_for_end(int(pid))
