import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.digest import DiffId, Digest, HashingWriter, VerifyingReader, copy_verified, verified
from layers.errors import LayerError

HELLO = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
LONG = f"sha512:{hashlib.sha512(b'hello').hexdigest()}"


def reader(data: bytes) -> VerifyingReader:
    return VerifyingReader(io.BytesIO(data), Digest(HELLO), 5)


def drain(stream: VerifyingReader, size: int) -> bytes:
    return b"".join(iter(lambda: stream.read(size), b""))


def test_bytes_have_a_sha256_digest() -> None:
    digest = Digest.of(b"hello")
    assert str(digest) == HELLO
    assert (digest.algorithm, digest.hex) == tuple(HELLO.split(":"))


@pytest.mark.parametrize("kind", [Digest, DiffId])
def test_sha512_is_refused_by_its_name(kind: type[Digest | DiffId]) -> None:
    with pytest.raises(LayerError) as caught:
        kind(LONG)
    assert caught.value.message == (
        f"sha512 digests are not supported: {LONG!r}; expected sha256: and 64 hex digits"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:",
        HELLO.removeprefix("sha256:"),
        HELLO[:-1],
        f"{HELLO}0",
        f"{HELLO}\n",
        f" {HELLO}",
        f"sha256:{HELLO[7:].upper()}",
        f"sha1:{'0' * 40}",
        f"md5:{'0' * 32}",
        f"sha256:../../{'0' * 58}",
    ],
)
@pytest.mark.parametrize("kind", [Digest, DiffId])
def test_refuses_what_is_no_digest(text: str, kind: type[Digest | DiffId]) -> None:
    with pytest.raises(LayerError) as caught:
        kind(text)
    assert caught.value.message == f"not a digest: {text!r}; expected sha256: and 64 hex digits"


def test_a_digest_is_never_a_diff_id() -> None:
    digest, diff_id = Digest(HELLO), DiffId(HELLO)
    assert {digest, diff_id} == {diff_id, digest}
    assert len({digest, diff_id}) == 2
    assert not any(one == other for one, other in [(digest, diff_id), (diff_id, digest)])


def test_a_hashing_writer_passes_on_and_counts() -> None:
    out = io.BytesIO()
    writer = HashingWriter(out)
    for piece in (b"he", b"", b"llo"):
        writer.write(piece)
    assert (out.getvalue(), writer.size, f"sha256:{writer.hexdigest}") == (b"hello", 5, HELLO)


@pytest.mark.parametrize("size", [-1, 1, 2, 5, 6, 1000])
def test_the_right_bytes_are_read_in_any_pieces(size: int) -> None:
    stream = reader(b"hello")
    assert drain(stream, size) == b"hello"
    assert stream.read(size) == b""


def test_reading_nothing_says_nothing_about_the_end() -> None:
    stream = reader(b"")
    assert stream.read(0) == b""
    with pytest.raises(LayerError):
        stream.read(1)


@pytest.mark.parametrize("size", [-1, 1, 5, 1000])
@pytest.mark.parametrize("data", [b"", b"hell", b"Hello", b"hellp"])
def test_short_or_other_bytes_are_refused_at_the_end(data: bytes, size: int) -> None:
    stream = reader(data)
    with pytest.raises(LayerError) as caught:
        drain(stream, size)
    got = hashlib.sha256(data).hexdigest()
    assert caught.value.message == (
        f"blob {HELLO}: wanted 5 bytes of that digest, "
        f"got {len(data)} bytes that hash to sha256:{got}"
    )


@pytest.mark.parametrize("size", [-1, 1, 5, 6, 1000])
def test_more_bytes_are_refused_as_soon_as_they_come(size: int) -> None:
    source = io.BytesIO(b"hello" + b"o" * 5000)
    stream = VerifyingReader(source, Digest(HELLO), 5)
    with pytest.raises(LayerError) as caught:
        drain(stream, size)
    assert caught.value.message == f"blob {HELLO}: more than the 5 bytes its descriptor promises"
    assert source.tell() <= 5 + size or size < 0


def test_a_stream_is_verified_once() -> None:
    once = verified(io.BytesIO(b"hello"), Digest(HELLO), 5)
    assert verified(once, Digest(HELLO), 5) is once
    other = Digest.of(b"other")
    assert verified(once, other, 5) is not once
    assert verified(once, Digest(HELLO), 6) is not once
    once.read(1)
    assert verified(once, Digest(HELLO), 5) is not once


def test_a_verified_stream_closes_what_it_reads() -> None:
    source = io.BytesIO(b"hello")
    with verified(source, Digest(HELLO), 5) as stream:
        assert stream.read() == b"hello"
    assert source.closed


@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(-1, 70).filter(bool))
def test_only_the_bytes_of_the_digest_pass(promised: bytes, sent: bytes, size: int) -> None:
    stream = VerifyingReader(io.BytesIO(sent), Digest.of(promised), len(promised))
    try:
        assert drain(stream, size) == promised == sent
    except LayerError:
        assert sent != promised


def test_a_verified_copy_is_whole() -> None:
    out = io.BytesIO()
    copy_verified(io.BytesIO(b"hello"), out, Digest(HELLO), 5)
    assert out.getvalue() == b"hello"
    with pytest.raises(LayerError):
        copy_verified(io.BytesIO(b"hell"), out, Digest(HELLO), 5)
