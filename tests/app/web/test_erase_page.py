"""Erasing an account in the console: counted first, with a reason, once."""

from tests.app.web.fake import FakeBackend
from tests.app.web.site import PERSON, Client, get, token, visit

NAME = {"aggregator": "data-per-account"}
ACCOUNT = {"group.account": "acc-0000001"}


def sent(fields: dict[str, str], backend: FakeBackend) -> tuple[int, str, str]:
    """(status, Location, text) of the form."""

    async def steps(client: Client) -> tuple[int, str, str]:
        response = await client.post(
            "/sessions/erase",
            data={"csrf": await token(client), **NAME, **fields},
            headers=PERSON,
            allow_redirects=False,
        )
        return response.status, response.headers.get("Location", ""), await response.text()

    return visit(steps, backend)


def test_what_would_be_erased_is_told_before_it_is() -> None:
    backend = FakeBackend()
    status, _, text = sent({"do": "check", **ACCOUNT}, backend)
    assert (status, backend.commands) == (200, [])
    assert "1 session, 2 dead letters, 3 source records will be erased, for good." in text


def test_it_is_erased_with_a_reason_and_told() -> None:
    backend = FakeBackend()
    status, _, text = sent({"do": "erase", **ACCOUNT}, backend)
    assert (status, backend.commands) == (422, [])
    assert "Say why" in text
    status, where, _ = sent({"do": "erase", "once": "o", "reason": "asked", **ACCOUNT}, backend)
    assert status == 303
    ((name, action, asked, change),) = backend.commands
    assert (name, action, asked) == (
        "data-per-account", "erase", {"group": {"account": "acc-0000001"}},
    )  # fmt: skip
    assert (change.reason, change.idempotency_key) == ("asked", "o")
    assert "acc-0000001" not in where
    assert "Erased 1 session, 2 dead letters, 3 source records." in get(where, backend)[1]


def test_an_account_is_named_by_one_value_at_least() -> None:
    backend = FakeBackend()
    status, _, text = sent({"do": "erase", "reason": "asked"}, backend)
    assert (status, backend.commands) == (422, [])
    assert "Say which account" in text
