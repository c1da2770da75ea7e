"""The part of the backend in memory that takes operators' commands."""

from collections.abc import Mapping
from dataclasses import replace

from app import shapes
from app.command_shapes import Commanded
from config.commands import read_command
from config.documents.base import DocumentError, Problem
from config.documents.registry import load_document
from domain.aggregation.document import Aggregator
from domain.aggregation.rule import compile_rule


class FakeCommands:
    """Counts and keeps what it is given. `prompt`: commands are carried out while one waits."""

    history: dict[tuple[str, str], list[shapes.DocumentVersion]]

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[tuple[str, str, dict[str, object], shapes.Change]] = []
        self.prompt = True

    @property
    def open_sessions(self) -> int:
        """How many are open."""
        raise NotImplementedError

    async def count_command(
        self, aggregator: str, action: str, asked: Mapping[str, object], change: shapes.Change
    ) -> Commanded | None:
        if ("aggregator", aggregator) not in self.history:
            return None
        rule = compile_rule(self._aggregator(aggregator), 1)
        message = {"id": "dry", "action": action, "aggregator": aggregator, **asked}
        said = {"actor": change.actor, "reason": change.reason}
        read_command({**message, **said}, [rule], dry=True)
        touched = 1 if "group" in asked else self.open_sessions
        found = Commanded("", action, aggregator, True, True, touched, touched * 40)
        return replace(found, letters=2, source_records=3) if action == "erase" else found

    async def give_command(
        self,
        aggregator: str,
        action: str,
        asked: Mapping[str, object],
        change: shapes.Change,
        wait_s: float,
    ) -> Commanded | None:
        counted = await self.count_command(aggregator, action, asked, change)
        if counted is None:
            return None
        if not change.reason.strip():
            raise DocumentError([Problem("reason", change.reason, "text: why")])
        name = f"command-{len(self.commands)}"
        self.commands.append((aggregator, action, dict(asked), change))
        position = None if self.prompt else (0, len(self.commands))
        return replace(counted, id=name, dry_run=False, done=self.prompt, position=position)

    async def command(self, aggregator: str, command_id: str) -> Commanded | None:
        if not self.prompt or command_id != "command-0":
            return None
        return Commanded(command_id, "flush", aggregator, False, True, 1, 40)

    def _aggregator(self, name: str) -> Aggregator:
        body = self.history["aggregator", name][-1].body
        found = load_document(body or {})
        if not isinstance(found, Aggregator):
            raise TypeError(name)
        return found
