import os
import pwd
from pathlib import Path

import pytest

from builder.errors import StoreError
from builder.store.layout import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_a_fact_is_remembered_by_kind_and_key(store: Store) -> None:
    store.remember("index", "sha256:1", {"a": [1, None, "é"]})
    store.remember("index", "sha256:2", {"b": 2})
    store.remember("reference", "sha256:1", {"c": 3})
    again = Store(store.root)
    assert again.fact("index", "sha256:1") == {"a": [1, None, "é"]}
    assert again.fact("index", "sha256:2") == {"b": 2}
    assert again.fact("reference", "sha256:1") == {"c": 3}


def test_what_was_never_remembered_is_unknown(store: Store) -> None:
    assert store.fact("index", "sha256:1") is None


def test_the_last_fact_counts(store: Store) -> None:
    store.remember("index", "key", {"a": 1})
    store.remember("index", "key", {"a": 2})
    assert store.fact("index", "key") == {"a": 2}


@pytest.mark.parametrize("key", ["../../etc/passwd", "a/b:c@d", "", "x" * 5000, "é\n"])
def test_a_key_may_be_any_text(key: str, store: Store) -> None:
    store.remember("reference", key, {"a": 1})
    assert store.fact("reference", key) == {"a": 1}
    assert len(list((store.root / "facts" / "reference").iterdir())) == 1


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[1]", b"7", b"null", b"[" * 100_000])
def test_a_corrupted_fact_is_forgotten(raw: bytes, store: Store) -> None:
    store.remember("index", "key", {"a": 1})
    [path] = (store.root / "facts" / "index").iterdir()
    path.write_bytes(raw)
    assert store.fact("index", "key") is None
    store.remember("index", "key", {"a": 2})
    assert store.fact("index", "key") == {"a": 2}


def test_facts_are_no_strangers_in_a_layout(store: Store) -> None:
    store.remember("index", "key", {"a": 1})
    (store.root / "oci-layout").unlink()
    assert Store(store.root).fact("index", "key") == {"a": 1}


def test_a_users_store_is_where_the_environ_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BUILDER_STORE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert Store.at_home().root == tmp_path / "home" / ".cache" / "image-builder"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert Store.at_home().root == tmp_path / "home" / ".cache" / "image-builder"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert Store.at_home().root == tmp_path / "cache" / "image-builder"
    monkeypatch.setenv("BUILDER_STORE", str(tmp_path / "chosen"))
    assert Store.at_home().root == tmp_path / "chosen"
    assert isinstance(Store.at_home(), Store)


def test_a_user_without_a_home_chooses_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    for name in ("HOME", "BUILDER_STORE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert "HOME" not in os.environ
    with pytest.raises(StoreError) as caught:
        Store.at_home()
    assert caught.value.message == "this user has no home directory to keep a store in"
    assert caught.value.hint == "name a directory you may write in BUILDER_STORE"
    monkeypatch.setenv("BUILDER_STORE", str(tmp_path / "chosen"))
    assert Store.at_home().root == tmp_path / "chosen"
