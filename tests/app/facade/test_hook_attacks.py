"""What is tried on `POST /hooks/{source}`: forged signatures, altered bodies, replays."""

import asyncio
import hmac
import json
from collections.abc import Callable
from hashlib import sha1, sha256
from pathlib import Path

import pytest

from app.source_shapes import BadDelivery, BadSignature
from tests.app.facade.house import House, Living
from tests.app.facade.test_metric_sources import HOOK, STAR, counted, push
from tests.waiting import auntil

BODY = json.dumps(STAR).encode()
OTHERS = {**HOOK, "name": "others", "credentials": {"secret": "HOOK_OTHER"}}


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("HOOK_SECRET", "one"), ("HOOK_NEXT", "two"), ("HOOK_OTHER", "three")):
        monkeypatch.setenv(name, value)


def mac(secret: str, body: bytes = BODY) -> str:
    return hmac.new(secret.encode(), body, sha256).hexdigest()


FORGED: dict[str, Callable[[], str]] = {
    "none": lambda: "",
    "no digest": lambda: "sha256=",
    "a digest alone": lambda: mac("one"),
    "another name": lambda: f"sha1={mac('one')}",
    "the old algorithm": lambda: "sha1=" + hmac.new(b"one", BODY, sha1).hexdigest(),
    "no key": lambda: "sha256=" + sha256(BODY).hexdigest(),
    "an empty key": lambda: f"sha256={mac('')}",
    "another source's": lambda: f"sha256={mac('three')}",
    "of no body": lambda: f"sha256={mac('one', b'')}",
    "of another body": lambda: f"sha256={mac('one', BODY + b' ')}",
    "cut short": lambda: f"sha256={mac('one')[:-1]}",
    "with more": lambda: f"sha256={mac('one')}0",
    "one bit off": lambda: f"sha256={mac('one')[:-1]}{'0' if mac('one')[-1] != '0' else '1'}",
    "in capitals": lambda: f"sha256={mac('one').upper()}",
    "two at once": lambda: f"sha256={mac('three')}, sha256={mac('one')}",
    "no text": lambda: "sha256=\udcff\udcfe",
    "other letters": lambda: "sha256=" + "é" * 64,
}  # fmt: skip


def appended(living: Living) -> int:
    return sum(len(part) for tp, part in living.log.rows.items() if "deliveries" in tp[0])


async def receive(living: Living, signature: str, body: bytes = BODY, delivery: str = "d1") -> str:
    headers = {"X-Hub-Signature-256": signature, "X-GitHub-Delivery": delivery,
               "X-GitHub-Event": "star"}  # fmt: skip
    return str(await living.facade.receive_hook("pushes", headers, body))


def test_no_forged_signature_is_taken_and_none_keeps_the_real_one_out(tmp_path: Path) -> None:
    async def run() -> None:
        async with House(tmp_path).open() as living:
            await living.put(HOOK)
            await living.put(OTHERS)
            for how, forged in FORGED.items():
                with pytest.raises(BadSignature):
                    raise AssertionError(how, await receive(living, forged()))
            assert appended(living) == 0
            # an id that was seen with a forged signature is still the real delivery's
            assert await receive(living, f"sha256={mac('one')}") == "taken"
            assert appended(living) == 1

    asyncio.run(run())


def altered() -> dict[str, bytes]:
    more = {**STAR, "action": "deleted"}
    return {
        "another action": json.dumps(more).encode(),
        "a space": BODY.replace(b": ", b":", 1),
        "a line end": BODY + b"\n",
        "a byte order mark": b"\xef\xbb\xbf" + BODY,
        "cut": BODY[:-1],
        "nothing": b"",
        "a name twice": BODY[:-1] + b', "action": "deleted"}',
    }


@pytest.mark.parametrize("how", altered())
def test_an_altered_body_is_refused_under_the_signature_of_the_real_one(
    how: str, tmp_path: Path
) -> None:
    async def run() -> None:
        async with House(tmp_path).open() as living:
            await living.put(HOOK)
            with pytest.raises(BadSignature):
                await receive(living, f"sha256={mac('one')}", altered()[how])
            assert appended(living) == 0

    asyncio.run(run())


def test_a_replayed_delivery_is_counted_once_by_whatever_worker_and_whenever(
    tmp_path: Path,
) -> None:
    """Also with another body that is signed, under another event's name, at the same moment."""
    house = House(tmp_path)

    async def run() -> None:
        async with house.open() as living:
            await living.put(HOOK)
            assert await push(living, "d1") == "taken"
            replays = [push(living, "d1") for _ in range(5)]
            assert await asyncio.gather(*replays) == ["repeated"] * 5
            assert await push(living, "d1", b'{"action": "deleted"}') == "repeated"
            assert await push(living, "d1", event="fork") == "repeated"
            assert await push(living, "d1", secret="two") == "repeated"
        async with house.open("w-2") as living:
            for _ in range(3):
                assert await push(living, "d1") == "repeated"
            first = [push(living, "d2") for _ in range(4)]
            told = await asyncio.gather(*first)
            assert sorted(map(str, told)) == ["repeated"] * 3 + ["taken"]
            assert await push(living, "d3") == "taken"
            await auntil(lambda: len(counted(living)) >= 3)
            assert [record.key for record in counted(living)] == ["d1", "d2", "d3"]

    asyncio.run(run())


@pytest.mark.parametrize("delivery", ["\udcff", "dé", ""])
def test_a_delivery_without_a_plain_id_is_the_senders_mistake(
    delivery: str, tmp_path: Path
) -> None:
    async def run() -> None:
        async with House(tmp_path).open() as living:
            await living.put(HOOK)
            with pytest.raises(BadDelivery):
                await receive(living, f"sha256={mac('one')}", delivery=delivery)
            assert appended(living) == 0

    asyncio.run(run())


def test_a_secret_that_was_taken_away_signs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with House(tmp_path).open() as living:
            await living.put(HOOK)
            assert await push(living, "d1", secret="two") == "taken"
            await living.put({**HOOK, "credentials": {"secret": "HOOK_SECRET"}})
            with pytest.raises(BadSignature):
                await push(living, "d2", secret="two")
            monkeypatch.setenv("HOOK_SECRET", "new")
            with pytest.raises(BadSignature):
                await push(living, "d2", secret="one")
            assert await push(living, "d2", secret="new") == "taken"

    asyncio.run(run())


def test_a_captured_body_counts_once_under_whatever_id_where_the_source_says_so(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        async with House(tmp_path).open() as living:
            await living.put({**HOOK, "fetch": {"once": "body"}})
            assert await push(living, "d1") == "taken"
            assert await push(living, "d2") == "repeated"
            assert await push(living, "d3", event="fork") == "repeated"
            assert await push(living, "d4", b'{"action": "deleted"}') == "taken"
            assert appended(living) == 2

    asyncio.run(run())
