from typing import Any

import pytest

from builder.oci.platform import Platform
from builder.project.offers import Offer
from builder.target import Libc, Python, Target

PYTHON = Python(version=(3, 12), path="/usr/bin/python3.12")
GLIBC, MUSL = Libc(name="glibc", version=(2, 36)), Libc(name="musl", version=(1, 2))


def offer(*tags: str, **more: Any) -> Offer:
    wheels = [{"url": f"https://files.example.com/a-1.0-{tag}.whl"} for tag in tags]
    index = {"registry": "https://index.example.com/simple"}
    return Offer.of([{"name": "a", "version": "1.0", "source": index, "wheels": wheels, **more}])


def target(libc: Libc = GLIBC, machine: str = "arm64") -> Target:
    return Target(platform=Platform("linux", machine), python=PYTHON, libc=libc)


SDIST = {"url": "https://files.example.com/a-1.0.tar.gz"}


@pytest.mark.parametrize(
    ("offered", "words"),
    [
        (offer(), "nothing"),
        (offer(sdist=SDIST), "sdist"),
        (offer(source={"git": "https://git.example.com/a#0"}), "git"),
        (offer(source={"directory": "../a"}), "path"),
        (offer(source={"editable": "."}), "path"),
        (offer(source={"path": "../a-1.0.tar.gz"}), "sdist"),
        (offer(source={"path": "../a-1.0-cp312-cp312-win_amd64.whl"}), "Windows"),
        (offer(source={"url": "https://example.com/a-1.0-cp312-abi3-win32.whl"}), "Windows"),
        (offer("py3-none-any", sdist=SDIST), "any, sdist"),
        (
            offer(
                "cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64",
                *("cp312-cp312-macosx_10_9_x86_64", "cp312-cp312-macosx_11_0_arm64"),
                *("cp312-cp312-musllinux_1_2_x86_64", "cp311-cp311-manylinux_2_28_aarch64"),
                sdist=SDIST,
            ),
            "macOS, manylinux_2_17_x86_64, musllinux_1_2_x86_64, sdist",
        ),
        (offer("cp37-abi3-manylinux1_i686"), "manylinux_2_5_i686"),
        (offer("cp39-cp39-win_amd64", "pp310-pypy310_pp73-win32"), "wheels for other Pythons "),
        (offer("py2-none-any"), "wheels for other Pythons (py2)"),
    ],
)
def test_what_is_offered_is_said_in_few_words(offered: Offer, words: str) -> None:
    assert offered.words(target()).removesuffix("(cp39, pp310)") == words


def test_a_name_that_is_no_wheel_s_counts_for_nothing() -> None:
    wheel = {"url": "https://files.example.com/a.whl"}
    assert offer(wheels=[wheel], sdist=SDIST).words(target()) == "sdist"


@pytest.mark.parametrize(
    ("tags", "libc", "help_"),
    [
        (["cp312-cp312-manylinux_2_39_aarch64"], GLIBC, "a base with glibc 2.39 or newer"),
        (
            ["cp312-cp312-manylinux_2_39_aarch64", "cp312-cp312-manylinux_2_38_aarch64"],
            GLIBC,
            "a base with glibc 2.38 or newer",
        ),
        (["cp312-cp312-manylinux_2_39_x86_64"], GLIBC, None),
        (["cp311-cp311-manylinux_2_39_aarch64"], GLIBC, None),
        (["cp311-cp311-manylinux_2_17_aarch64"], GLIBC, "a base with another Python"),
        (["cp311-cp311-win_amd64"], GLIBC, None),
        (["cp39-cp39-musllinux_1_1_aarch64"], MUSL, "a base with another Python"),
        (["cp39-cp39-manylinux2014_aarch64"], MUSL, None),
        (["cp312-cp312-manylinux2014_aarch64"], MUSL, "a base with glibc"),
        (["cp312-cp312-musllinux_1_2_aarch64"], GLIBC, "a base with musl"),
        (["cp312-cp312-win_amd64"], GLIBC, None),
        ([], GLIBC, None),
    ],
)
def test_another_base_is_advised_where_it_would_help(
    tags: list[str], libc: Libc, help_: str | None
) -> None:
    assert offer(*tags).helps(target(libc)) == help_
