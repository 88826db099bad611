import pytest

from layers.accounts import Account, account_entries
from layers.entries import ROOT, BytesContent, Entry, FileEntry, Owner
from layers.errors import ContentError

APP = Account(name="app", owner=Owner(1001, 1002), home="/app")
PASSWD = b"root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"
GROUP = b"root:x:0:\nnogroup:x:65534:\n"
OURS_PASSWD = b"app:x:1001:1002::/app:/usr/sbin/nologin\n"
OURS_GROUP = b"app:x:1002:\n"


def added(passwd: bytes, group: bytes) -> dict[str, bytes]:
    return {
        entry.path: content(entry) for entry in account_entries(APP, passwd=passwd, group=group)
    }


def content(entry: Entry) -> bytes:
    assert isinstance(entry, FileEntry)
    assert isinstance(entry.content, BytesContent)
    assert (entry.mode, entry.owner, entry.size) == (0o644, ROOT, len(entry.content.data))
    return entry.content.data


def test_an_account_is_one_more_line_in_each_file() -> None:
    assert added(PASSWD, GROUP) == {
        "etc/passwd": PASSWD + OURS_PASSWD,
        "etc/group": GROUP + OURS_GROUP,
    }


def test_a_last_line_without_its_end_gets_one() -> None:
    assert added(PASSWD.rstrip(b"\n"), GROUP.rstrip(b"\n")) == added(PASSWD, GROUP)


def test_a_base_without_accounts_gets_its_first() -> None:
    assert added(b"", b"") == {"etc/passwd": OURS_PASSWD, "etc/group": OURS_GROUP}


def test_an_account_that_the_base_has_changes_nothing() -> None:
    passwd = PASSWD + b"app:x:1001:100:The App:/srv:/bin/sh\n"
    assert added(passwd, GROUP + b"app:x:1002:root,nobody\n") == {}
    assert added(passwd, GROUP) == {"etc/group": GROUP + OURS_GROUP}


@pytest.mark.parametrize(
    ("line", "clash"),
    [
        (b"app:x:1000:1000::/home/app:/bin/sh\n", "app with number 1000"),
        (b"web:x:1001:1001::/srv:/bin/sh\n", "web with number 1001"),
    ],
)
def test_a_user_of_the_same_name_or_number_is_a_clash(line: bytes, clash: str) -> None:
    with pytest.raises(ContentError) as caught:
        account_entries(APP, passwd=PASSWD + line, group=GROUP)
    assert caught.value.message == f"the base has the user {clash}; wanted app with 1001"
    assert caught.value.hint == "choose another name or number in [tool.builder] user"


def test_a_group_of_the_same_name_is_a_clash() -> None:
    with pytest.raises(ContentError) as caught:
        account_entries(APP, passwd=PASSWD, group=GROUP + b"app:x:1000:\n")
    assert caught.value.message == (
        "the base has the group app with number 1000; wanted app with 1002"
    )
    assert caught.value.hint == "choose another name or number in [tool.builder] user"


def test_a_group_of_the_same_number_serves_as_it_is() -> None:
    assert set(added(PASSWD, GROUP + b"www:x:1002:")) == {"etc/passwd"}


@pytest.mark.parametrize(
    "odd",
    [
        b"\n\n",
        b"# app:x\n",
        b"+::::::\n",
        b"app\n",
        b"caf\xe9:x:7:7:\xff:/:/bin/sh\n",
        b"a:x:8:8:one\x0capp:x:1001:/:/bin/sh\n",
        "b:x:9:9:\u2028app:x:1001:/:/bin/sh\n".encode(),
    ],
    ids=["blank", "comment", "nis", "bare", "latin-1", "form feed", "line separator"],
)
def test_odd_lines_are_kept_and_are_no_accounts(odd: bytes) -> None:
    assert added(odd + PASSWD, GROUP)["etc/passwd"] == odd + PASSWD + OURS_PASSWD
