import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.debian.package import Pin
from builder.errors import LockError, exit_code
from builder.image_lock import (
    ImageLock,
    LockedImage,
    drift,
    read_image_lock,
    sources_digest,
    to_toml,
    with_image,
)
from builder.oci.platform import Platform
from builder.project.pyproject import read_pyproject
from builder.settings import AptSourceSettings
from layers.digest import Digest

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64")
ONE, TWO = Digest.of(b"1"), Digest.of(b"2")
LIBPQ = Pin(
    name="libpq5",
    version="15.13-0+deb12u1",
    architecture="amd64",
    digest=ONE,
    size=191_544,
    path="pool/main/p/postgresql-15/libpq5_15.13-0+deb12u1_amd64.deb",
    suite="bookworm-security",
)
TZDATA = Pin(
    name="tzdata",
    version="2025b-0+deb12u1",
    architecture="all",
    digest=TWO,
    size=300_000,
    path="pool/main/t/tzdata/tzdata_2025b-0+deb12u1_all.deb",
    suite="bookworm",
)
PYTHON = LockedImage(
    platform=AMD64,
    base="python:3.12-slim-bookworm",
    digest=ONE,
    requested=("libpq5",),
    packages=(LIBPQ,),
)
COMPOSED = LockedImage(
    platform=ARM64, base="apt:bookworm", digest=TWO, base_packages=(TZDATA,), sources=ONE
)
TEXT = f"""\
# Written by `python -m builder lock`; not meant to be changed by hand.
version = 1

[[image]]
platform = "linux/amd64"
base = "python:3.12-slim-bookworm"
digest = "{ONE}"
requested = ["libpq5"]

[[image.package]]
name = "libpq5"
version = "15.13-0+deb12u1"
architecture = "amd64"
digest = "{ONE}"
size = 191544
path = "pool/main/p/postgresql-15/libpq5_15.13-0+deb12u1_amd64.deb"
suite = "bookworm-security"

[[image]]
platform = "linux/arm64"
base = "apt:bookworm"
digest = "{TWO}"
requested = []
sources = "{ONE}"

[[image.base-package]]
name = "tzdata"
version = "2025b-0+deb12u1"
architecture = "all"
digest = "{TWO}"
size = 300000
path = "pool/main/t/tzdata/tzdata_2025b-0+deb12u1_all.deb"
suite = "bookworm"
"""


def read(directory: Path, text: str | bytes) -> ImageLock | None:
    path = directory / "image.lock"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_image_lock(path)


def test_the_file_is_read_and_written_word_by_word(tmp_path: Path) -> None:
    lock = ImageLock(images=(COMPOSED, PYTHON))
    assert to_toml(lock).decode() == TEXT
    assert read(tmp_path, TEXT) == lock


def test_the_order_of_what_is_given_means_nothing() -> None:
    there = dataclasses.replace(PYTHON, packages=(TZDATA, LIBPQ), base_packages=(TZDATA, LIBPQ))
    back = dataclasses.replace(PYTHON, packages=(LIBPQ, TZDATA), base_packages=(LIBPQ, TZDATA))
    assert to_toml(ImageLock(images=(COMPOSED, there))) == to_toml(
        ImageLock(images=(back, COMPOSED))
    )


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
DIGESTS = st.binary(max_size=4).map(Digest.of)
PATHS = st.from_regex(r"pool/[a-z0-9~+.%_-]{1,12}[a-z]", fullmatch=True)
PINS = st.builds(
    Pin,
    name=TEXTS,
    version=TEXTS,
    architecture=TEXTS,
    digest=DIGESTS,
    size=st.integers(0, 1 << 40),
    path=PATHS,
    suite=TEXTS,
)
PACKAGES = st.lists(PINS, max_size=3, unique_by=lambda pin: pin.name).map(tuple)
IMAGES = st.builds(
    LockedImage,
    platform=st.builds(
        Platform,
        st.just("linux"),
        st.sampled_from(["amd64", "arm64", "riscv64"]),
        st.sampled_from([None, "v7"]),
    ),
    base=TEXTS,
    digest=DIGESTS,
    requested=st.lists(TEXTS, max_size=3).map(tuple),
    packages=PACKAGES,
    base_packages=PACKAGES,
    sources=st.none() | DIGESTS,
)
LOCKS = st.lists(IMAGES, max_size=3, unique_by=lambda image: str(image.platform.specific)).map(
    lambda images: ImageLock(images=tuple(images))
)


@given(lock=LOCKS)
def test_what_is_written_is_read(lock: ImageLock, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.getbasetemp()
    raw = to_toml(lock)
    found = read(directory, raw)
    assert found == lock
    assert to_toml(found) == raw


def test_no_file_is_no_lock(tmp_path: Path) -> None:
    assert read_image_lock(tmp_path / "image.lock") is None


def test_it_lies_beside_uv_lock(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "demo"\n')
    assert read_pyproject(tmp_path).image_lock == tmp_path / "image.lock"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(LockError, match=f"^cannot read {tmp_path}: Is a directory"):
        read_image_lock(tmp_path)


def without(line: str) -> Callable[[str], str]:
    return lambda text: text.replace(line, "", 1)


def instead(old: str, new: str) -> Callable[[str], str]:
    return lambda text: text.replace(old, new, 1)


IN_AMD64 = "the image for linux/amd64"
IN_LIBPQ = f"{IN_AMD64}, a package, libpq5"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda _: "", "it is of version None; expected 1"),
        (instead("version = 1\n", "version = 2\n"), "it is of version 2; expected 1"),
        (instead("version = 1\n", "version = true\n"), "it is of version True; expected 1"),
        (instead("version = 1\n", 'version = 1\nhost = "x"\n'), "the file: host is unknown"),
        (lambda _: "version = 1\nimage = 1", "the file: image is 1; expected tables"),
        (lambda text: f"<<<<<<< HEAD\n{text}", "Invalid statement (at line 1, column 1)"),
        (
            without('platform = "linux/amd64"\n'),
            "an image: platform is None; expected a string that is not empty",
        ),
        (
            instead('"linux/amd64"', '"amd64"'),
            "not a platform: 'amd64'; expected e.g. linux/amd64",
        ),
        (instead("linux/amd64", "linux/arm64/v8"), "linux/arm64/v8 stands there twice"),
        (
            without('base = "python:3.12-slim-bookworm"\n'),
            f"{IN_AMD64}: base is None; expected a string that is not empty",
        ),
        (
            instead(f'digest = "{ONE}"', 'digest = "sha256:0"'),
            f"{IN_AMD64}: digest: not a digest: 'sha256:0'; expected sha256: and 64 hex digits",
        ),
        (
            instead('["libpq5"]', '"libpq5"'),
            f"{IN_AMD64}: requested is 'libpq5'; expected a list of strings",
        ),
        (
            instead('["libpq5"]', "[1]"),
            f"{IN_AMD64}: requested is [1]; expected a list of strings",
        ),
        (
            instead('requested = ["libpq5"]', "requested = []\npackages = []"),
            f"{IN_AMD64}: packages is unknown",
        ),
        (
            without('name = "libpq5"\n'),
            f"{IN_AMD64}, a package: name is None; expected a string that is not empty",
        ),
        (
            instead('version = "15.13-0+deb12u1"', 'version = ""'),
            f"{IN_LIBPQ}: version is ''; expected a string that is not empty",
        ),
        (
            instead("size = 191544", "size = -1"),
            f"{IN_LIBPQ}: size is -1; expected a number of bytes",
        ),
        (
            instead("size = 191544", "size = true"),
            f"{IN_LIBPQ}: size is True; expected a number of bytes",
        ),
        (
            instead("size = 191544", "size = 1\nsha1 = 2"),
            f"{IN_LIBPQ}: sha1 is unknown",
        ),
        (
            instead("pool/main/p/", "pool/../../"),
            (
                f"{IN_LIBPQ}: path is 'pool/../../postgresql-15/libpq5_15.13-0+deb12u1_amd64.deb';"
                " expected one from the archive's root"
            ),
        ),
        (
            instead("pool/main/p/postgresql-15/libpq5_15.13-0+deb12u1_amd64.deb", "/x.deb"),
            f"{IN_LIBPQ}: path is '/x.deb'; expected one from the archive's root",
        ),
        (
            instead("pool/main/p/postgresql-15/libpq5_15.13-0+deb12u1_amd64.deb", "http://x/y"),
            f"{IN_LIBPQ}: path is 'http://x/y'; expected one from the archive's root",
        ),
        (
            instead('suite = "bookworm"\n', ""),
            (
                "the image for linux/arm64, a base-package, tzdata: suite is None; "
                "expected a string that is not empty"
            ),
        ),
    ],
)
def test_what_is_no_lock_is_refused_with_the_reason(
    change: Callable[[str], str], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(LockError) as caught:
        read(tmp_path, change(TEXT))
    path = tmp_path / "image.lock"
    assert caught.value.message == f"{path} is not an image lock: {reason}"
    assert caught.value.hint == f"make it anew: rm {path}, and python -m builder lock"
    assert exit_code(caught.value) == 1


def test_what_is_not_utf_8_is_no_lock(tmp_path: Path) -> None:
    with pytest.raises(LockError, match="is not an image lock: 'utf-8' codec"):
        read(tmp_path, b"version = 1 # \xff")


def test_a_package_stands_in_a_list_once(tmp_path: Path) -> None:
    table = TEXT[
        TEXT.index("\n[[image.package]]") : TEXT.index('\n[[image]]\nplatform = "linux/ar')
    ]
    with pytest.raises(LockError, match="libpq5 stands there twice"):
        read(tmp_path, TEXT.replace(table, table * 2))
    with pytest.raises(LockError, match="libpq5 stands there twice"):
        dataclasses.replace(PYTHON, packages=(LIBPQ, dataclasses.replace(LIBPQ, version="1")))


def test_a_platform_is_replaced_and_the_others_stay() -> None:
    lock = with_image(with_image(None, COMPOSED), PYTHON)
    assert lock == ImageLock(images=(PYTHON, COMPOSED))
    newer = dataclasses.replace(COMPOSED, platform=Platform("linux", "arm64", "v8"), digest=ONE)
    assert with_image(lock, newer) == ImageLock(images=(PYTHON, newer))


def test_a_platform_is_found_with_and_without_its_usual_variant() -> None:
    lock = ImageLock(images=(PYTHON, COMPOSED))
    assert lock.image(AMD64) == PYTHON
    assert lock.image(Platform("linux", "arm64", "v8")) == COMPOSED
    assert lock.image(Platform("linux", "arm")) is None


def test_what_fits_has_not_drifted() -> None:
    base = PYTHON.base
    assert drift(PYTHON, base=base, requested=("libpq5",)) is None
    assert drift(COMPOSED, base="apt:bookworm", requested=(), sources=ONE) is None
    two = dataclasses.replace(PYTHON, requested=("git", "libpq5"))
    assert drift(two, base=base, requested=("libpq5", "git")) is None


def test_drift_is_told_in_words() -> None:
    base = PYTHON.base
    assert drift(PYTHON, base="another", requested=("libpq5",)) == (
        "the base is another, locked is python:3.12-slim-bookworm"
    )
    assert drift(PYTHON, base=base, requested=("tzdata", "libpq5=16", "git")) == (
        "apt asks for git, libpq5=16, tzdata, not locked yet; apt no longer asks for libpq5"
    )
    others = "apt-sources or apt-snapshot are others than those that were locked"
    assert drift(PYTHON, base=base, requested=("libpq5",), sources=ONE) == others
    assert drift(COMPOSED, base="apt:bookworm", requested=()) == others
    assert drift(COMPOSED, base="apt:bookworm", requested=(), sources=TWO) == others


def test_sources_have_an_identity_of_their_own() -> None:
    source = AptSourceSettings(uri="http://m", suites=("a", "b"))
    given = [
        sources_digest([], "20250520T000000Z"),
        sources_digest([source], None),
        sources_digest([source], "20250520T000000Z"),
        sources_digest([source, source], None),
        *(
            sources_digest([dataclasses.replace(source, **change)], None)
            for change in (
                {"uri": "http://n"},
                {"suites": ("a",)},
                {"components": ("main", "contrib")},
                {"keyring": "k.gpg"},
            )
        ),
    ]
    assert sources_digest([], None) is None
    assert None not in given
    assert len(set(given)) == len(given)
    assert given[1] == sources_digest([AptSourceSettings(uri="http://m", suites=("a", "b"))], None)
