"""Who may do what: one table, from route to role. What reads is for viewers, and what changes
something and isn't in the table is for admins only.
"""

from typing import Final, Literal

from app.people.rows import ROLES, Role
from config import topics

Needed = Role | Literal["open"]
"""`open`: for everybody; such routes look for themselves who asks."""

OPEN = frozenset(
    {
        "GET /health/live",
        "GET /health/ready",
        "POST /hooks/{source}",  # signed by who sends
        "GET /metrics",  # by token, or from this machine
        "GET /api/metrics/feeds/{metric}.csv",  # by the token in the address
        "GET /api/metrics/feeds/{metric}.parquet",
        "GET /login",
        "POST /login",
        "GET /login/oidc",
        "GET /login/oidc/callback",
        "POST /logout",
        "GET /static",  # what the page to sign in is made of
        "POST /internal/{question}",  # signed by the other worker
    }
)

VIEWER = frozenset(
    {
        "POST /api/sql",
        "POST /api/documents/validate",
        "POST /api/documents/preview",
        "DELETE /api/documents/preview/{preview}",
        "POST /configuration/preview/{id}/stop",
        "PUT /api/me/password",
        "DELETE /api/me/sessions/{id}",
    }
)

OPERATOR = frozenset(
    {
        "POST /api/topics/{topic}/records",  # of `config` and what the product writes: admin
        "POST /api/flushes/{id}/resend",
        "POST /api/aggregators/{name}/events/retract",
        "POST /api/aggregators/{name}/sessions/flush",
        "POST /api/aggregators/{name}/sessions/delete",
        "POST /api/aggregators/{name}/sessions/set-timeout",
        "POST /api/aggregators/{name}/sessions/erase",
        "POST /sessions/act",
        "POST /sessions/resend",
        "POST /sessions/retract",
        "POST /sessions/erase",
        "POST /api/dead-letters/replay",
        "POST /dead-letters/replay",
        "POST /api/campaigns",
        "POST /api/campaigns/recount",
        "POST /api/campaigns/erase",
        "POST /api/campaigns/{request_id}/retrigger",
        "POST /api/campaigns/{request_id}/reschedule",
        "POST /api/campaigns/{request_id}/revoke",
        "POST /api/campaigns/{request_id}/pause",
        "POST /api/campaigns/{request_id}/resume",
        "POST /api/campaigns/{request_id}/negatives",
        "DELETE /api/campaigns/{request_id}/negatives/{number}",
        "POST /api/do-not-call",
        "DELETE /api/do-not-call/{number}",
        "POST /campaigns/upload",
        "POST /campaigns/{id}/negatives",
        "POST /campaigns/{id}/{action}",
        "POST /do-not-call",
        "POST /erase",
        "POST /impressions/change",
        "POST /api/metrics/sources/{name}/fetch",
        "POST /api/metrics/alerts/{name}/acknowledge",
        "POST /api/metrics/alerts/{name}/silence",
        "POST /api/metrics/digests/{name}/send",
        "POST /api/metrics/sources/{name}/rebuild",
        "POST /api/metrics/sources/{name}/test",
        "GET /api/impressions/plan",  # reads whatever file it is given
        "GET /impressions/change",
        "POST /sources/{name}",
        "POST /alerts/{name}/acknowledge",
        "POST /alerts/{name}/silence",
        "POST /api/processes/cancel",
        "POST /processes/cancel",
    }
)

ADMIN = frozenset(
    {
        "PUT /api/documents/{kind}/{name}",
        "DELETE /api/documents/{kind}/{name}",
        "POST /configuration/apply",
        "POST /configuration/{kind}/{name}/remove",
        "POST /api/state/backups",
        "POST /api/topics/growths",
        "GET /api/users",
        "POST /api/users",
        "PUT /api/users/{name}",
        "DELETE /api/users/{name}",
        "GET /api/tokens",
        "POST /api/tokens",
        "DELETE /api/tokens/{name}",
    }
)

ADMINS_TOPICS = frozenset(
    {
        topics.CONFIG,
        topics.AGGREGATES,
        topics.AUDIT,
        topics.DEAD_LETTERS,
        topics.SINK_LETTERS,
        topics.EXECUTIONS,
        topics.SLOT_FAILURES,
        topics.CAMPAIGN_AUDIT,
        topics.SOURCE_EVENTS,
        topics.ROLLUPS,
        topics.ALERTS,
    }
)
"""Topics that admins alone write to: with a document, or a letter that is one, an operator would be
one.
"""

READING = ("GET", "HEAD", "OPTIONS")
TABLE: Final[dict[str, Needed]] = {
    **dict.fromkeys(OPEN, "open"),
    **dict.fromkeys(VIEWER, "viewer"),
    **dict.fromkeys(OPERATOR, "operator"),
    **dict.fromkeys(ADMIN, "admin"),
}


def needed(method: str, path: str) -> Needed:
    """The role for a route, by the path it is mounted under (`/api/users/{name}`)."""
    reads = method in READING
    found = TABLE.get(f"{'GET' if reads else method} {path}")
    return found or ("viewer" if reads else "admin")


def is_enough(role: Role, wanted: Role) -> bool:
    """Whether who has `role` may do what `wanted` may."""
    return ROLES.index(role) >= ROLES.index(wanted)
