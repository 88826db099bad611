from builder.debian.package import Package, Pin
from layers.digest import Digest

PIN = Pin(
    name="libpq5",
    version="15.13-0+deb12u1",
    architecture="amd64",
    digest=Digest.of(b"deb"),
    size=3,
    path="pool/main/p/postgresql-15/libpq5_15.13-0+deb12u1_amd64.deb",
    suite="bookworm-security",
)


def test_a_pin_is_what_was_written() -> None:
    assert Pin.parse(PIN.to_json()) == PIN


def test_a_package_reads_its_paragraph() -> None:
    package = Package(fields={"Package": "a", "Version": "1:2-3", "Architecture": "all"}, pin=PIN)
    assert (package.name, package.version, package.architecture) == ("a", "1:2-3", "all")
    assert str(package) == "a (1:2-3)"


def test_a_pin_says_which_package_it_is() -> None:
    assert str(PIN) == "libpq5 15.13-0+deb12u1 amd64"
