"""A worker is the member it was while it asks for the same, and a new one else."""

from pathlib import Path

from app.membership import Membership

USAGE = {"config", "usage"}
MORE = {"config", "usage", "calls"}


def test_who_asks_for_what_it_joined_with_is_the_member_it_was(tmp_path: Path) -> None:
    first = Membership(tmp_path, "host-0-all")
    member = first.begin(USAGE)
    assert member.startswith("host-0-all-")
    first.joined(USAGE)
    assert Membership(tmp_path, "host-0-all").begin(USAGE) == member
    assert Membership(tmp_path, "host-0-all").begin(USAGE) == member


def test_who_asks_for_something_else_or_is_someone_else_is_new(tmp_path: Path) -> None:
    first = Membership(tmp_path, "host-0-all")
    member = first.begin(USAGE)
    first.joined(USAGE)
    assert Membership(tmp_path, "host-0-route").begin(USAGE) != member
    first.joined(USAGE)
    other = Membership(tmp_path, "host-0-all").begin(MORE)
    assert other != member
    assert Membership(tmp_path, "host-0-all").begin(USAGE) not in (member, other)


def test_who_was_killed_before_the_group_had_its_topics_is_new(tmp_path: Path) -> None:
    first = Membership(tmp_path, "host-0-all")
    member = first.begin(USAGE)
    assert Membership(tmp_path, "host-0-all").begin(USAGE) != member
    first = Membership(tmp_path, "host-0-all")
    member = first.begin(USAGE)
    first.joined(USAGE)
    first.changes()
    assert Membership(tmp_path, "host-0-all").begin(USAGE) != member


def test_who_lived_through_a_change_is_known_with_the_new_topics(tmp_path: Path) -> None:
    first = Membership(tmp_path, "host-0-all")
    member = first.begin(USAGE)
    first.joined(USAGE)
    first.changes()
    first.joined(MORE)
    assert Membership(tmp_path, "host-0-all").begin(MORE) == member


def test_a_note_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "member.json").write_bytes(b"{")
    assert Membership(tmp_path, "host-0-all").begin(USAGE).startswith("host-0-all-")
