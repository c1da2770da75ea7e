"""Reports being read by somebody: counted, and ended when that is asked for."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from secrets import token_hex

from app.backend import Unavailable
from app.campaign_shapes import Json


@dataclass
class Export:
    """One that is being read."""

    id: str
    name: str
    started_ms: int
    rows: int = 0
    ended: bool = False


class Exports:
    """Those of this process."""

    def __init__(self) -> None:
        self.running: dict[str, Export] = {}

    async def counted(
        self, name: str, rows: AsyncIterator[Json], now_ms: int
    ) -> AsyncIterator[Json]:
        """The rows; raises Unavailable when the export is ended."""
        export = Export(token_hex(8), name, now_ms)
        self.running[export.id] = export
        try:
            async for row in rows:
                if export.ended:
                    raise Unavailable(f"export {name}", "somebody cancelled it")
                export.rows += 1
                yield row
        finally:
            del self.running[export.id]

    def end(self, export_id: str) -> bool:
        """Ends one at its next row; False when there is none of that id."""
        export = self.running.get(export_id)
        if export is not None:
            export.ended = True
        return export is not None
