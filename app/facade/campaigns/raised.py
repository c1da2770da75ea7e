"""Alerts about campaigns that have started and not ended, of the shards that are open here."""

from typing import Any

from app.facade.parts import Parts
from domain.campaigns.alerts import alerts_json

RAISED = "campaign_alerts"


class Raised:
    """Answers RAISED; of a worker without campaigns there is nothing to tell."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.questions = {RAISED: self._tell}

    async def _tell(self, _: dict[str, Any]) -> dict[int, dict[str, Any]]:
        campaigns = self._parts.campaigns
        books = {} if campaigns is None else campaigns.books()
        return {
            number: {"epoch": epoch, "told": alerts_json(book)}
            for number, (epoch, _, book) in books.items()
        }
