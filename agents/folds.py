"""What is compiled of documents, once in a process."""

from collections.abc import Callable, Collection

from agents.columnar import LEAST_KEYS
from domain.aggregation.columns import Plan, plan_of
from domain.aggregation.compiled import FoldFunction, compile_fold
from domain.aggregation.rule import Rule
from tables.packed import Shapes

MANY_KEYS = 400  # of a chunk: more are folded by the piece


class Folds:
    """Compiled fold functions by (aggregator, version); shared by the shards of a process.

    `latest` gives the newest version of an aggregator that is known, removed or not. `unread` are
    versions that can't be followed, `waits(aggregator, version)` tells that a session may not be
    flushed because of one.
    """

    def __init__(
        self,
        rule_of: Callable[[str, int], Rule],
        latest: Callable[[str], Rule],
        unread: Collection[tuple[str, int]] = (),
        waits: Callable[[str, int | None], bool] = lambda _name, _version: False,
    ) -> None:
        self.rule_of = rule_of
        self.latest = latest
        self.unread, self.waits = unread, waits
        self._compiled: dict[tuple[str, int], tuple[Rule, FoldFunction]] = {}
        self._plans: dict[tuple[str, int], Plan | None] = {}
        self.shapes = Shapes()
        self.many_keys, self.least_keys = MANY_KEYS, LEAST_KEYS
        """A chunk of more keys is folded by the piece, in columns where so many are alike."""

    def get(self, name: str, version: int) -> tuple[Rule, FoldFunction]:
        found = self._compiled.get((name, version))
        if found is None:
            rule = self.rule_of(name, version)
            found = self._compiled[name, version] = (rule, compile_fold(rule))
        return found

    def plan(self, rule: Rule) -> Plan | None:
        """The way to fold many keys of that version at once; None when each is folded alone."""
        at = (rule.name, rule.version)
        if at not in self._plans:
            self._plans[at] = plan_of(rule)
        return self._plans[at]
