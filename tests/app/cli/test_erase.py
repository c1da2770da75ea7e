"""`sluice erase`: a command as those on sessions, for all that is kept of an account."""

import pytest

from tests.app.cli.running import sluice
from tests.app.cli.server import serving
from tests.app.cli.test_session_commands import WHY, done, only

PATH = "/api/aggregators/usage-a/sessions/erase"


def test_an_account_is_erased_with_a_reason() -> None:
    with serving({f"POST {PATH}": only("X")}) as server:
        ran = sluice("erase", "usage-a", "account=X", *WHY, server=server.url)
        (heard,) = server.heard
    assert (ran.code, ran.out.strip()) == (0, "1 session with 3 records erased; command c1")
    assert heard.json() == {"group": {"account": "X"}, "reason": "asked for"}


def test_a_dry_run_counts_and_an_account_of_which_nothing_is_kept_is_told() -> None:
    with serving({f"POST {PATH}": (200, done(0, dry_run=True, action="erase"))}) as server:
        ran = sluice("erase", "usage-a", "account=Y", "--dry-run", server=server.url)
    assert ran.code == 1
    assert "0 sessions with 0 records would be erased; nothing was changed" in ran.out
    assert "nothing is kept of account=Y in usage-a" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["usage-a", "account=X"], "a reason is needed: sluice erase … --reason TEXT"),
        (["usage-a", *WHY], "FIELD=VALUE"),
        (["usage-a", "account=X", "--filter", "{}", *WHY], "--filter"),
    ],
)
def test_what_is_missing_or_too_much_is_told(words: list[str], said: str) -> None:
    ran = sluice("erase", *words)
    assert ran.code == 2
    assert said in ran.err
