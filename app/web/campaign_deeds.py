"""What can be done to a campaign: the verb, what it means, and what is said of it afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.campaign_shapes import Commanded
from app.web import campaign_words, words


@dataclass(frozen=True)
class Deed:
    """`verb` stands on buttons; `means` says what it does and leaves; `will` and `did` are for
    what it touches; `look` is the class of the button, `label` its text where the verb is long."""

    verb: str
    means: str
    will: str
    did: str
    look: str = ""
    label: str = ""


DEEDS: Mapping[str, Deed] = {
    "pause": Deed(
        "Pause",
        "No new orders go out. What is ordered or started runs on, days are made and slots end "
        "as always: paused time still uses up the slot.",
        "",
        "Paused: nothing new is ordered",
    ),
    "resume": Deed(
        "Resume",
        "Orders go out again, within the slots that are left.",
        "",
        "Resumed: orders go out again",
    ),
    "retrigger": Deed(
        "Retrigger",
        "They are queued again and keep their day in all counts; what they came to before stays "
        "among their attempts. Completed, negative and revoked ones never are.",
        "will be queued again",
        "queued again",
    ),
    "reschedule": Deed(
        "Reschedule",
        "The days to come get the new slots. What of today is not ordered yet is taken back and "
        "made anew in each new slot of today.",
        "of today will be taken back and made anew in the new slots",
        "of today taken back and made anew in the new slots",
    ),
    "negatives": Deed(
        "Add negatives",
        "FDDs not ordered yet become negative, for ordered ones a cancel goes out; what has "
        "started is left alone. Later days leave these numbers out.",
        "will become negative",
        "became negative",
        label="Negatives",
    ),
    "revoke": Deed(
        "Revoke",
        "The campaign is cancelled for good: what is not ordered becomes revoked, ordered ones are "
        "cancelled, no further day is made. This can't be taken back.",
        "will be revoked",
        "revoked",
        "danger",
    ),
    "withdraw": Deed(
        "Withdraw",
        "The number is contacted again on the days to come.",
        "",
        "Withdrawn: the number is no longer negative, for the days to come",
    ),
}
ACTIONS = ("pause", "resume", "retrigger", "reschedule", "revoke")


def told(deed: Deed, found: Commanded) -> Mapping[str, Any]:
    """What became of a command, for the page: text, look, more, command."""
    result = found.result or {}
    base = {"command": found.command_id, "more": ""}
    if found.state == "running":
        text = f"{deed.verb}: durable and at work; this page says when it is done."
        return {**base, "text": text, "look": "warn"}
    if found.state == "refused":
        because = result.get("because") or result.get("detail") or "its state has changed"
        return {**base, "text": f"{deed.verb} was refused: {because}.", "look": "warn"}
    if "fdds" in result:
        touched, started = (result["fdds"].get(key, 0) for key in ("negative", "already_started"))
        more = f"{words.some(started, 'FDD')} had already started." if started else ""
        text = f"{words.some(touched, 'FDD')} {deed.did}."
        return {**base, "text": text, "look": "good", "more": more}
    if not deed.will:
        return {**base, "text": f"{deed.did}.", "look": "good"}
    by = several(result)
    text = f"{words.some(result.get('touched', 0), 'FDD')} {deed.did}."
    return {**base, "text": text, "look": "good", "more": f"Of those, {by}." if by else ""}


def several(result: Mapping[str, Any] | None) -> str:
    """What those touched are or were, where they are not all the same; "" else."""
    by = {name: n for name, n in ((result or {}).get("by") or {}).items() if n}
    return campaign_words.made(by) if len(by) > 1 else ""
