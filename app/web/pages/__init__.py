"""The pages of the console, in the order of the navigation.

A new page is one file and one line here.
"""

from app.web.pages import (
    campaigns,
    configuration,
    dashboards,
    dead_letters,
    funnel,
    impressions,
    login,
    overview,
    processes,
    sessions,
    tables,
    usage,
)
from app.web.pages.shell import Page

PAGES: tuple[Page, ...] = (
    overview.PAGE,
    processes.PAGE,
    funnel.PAGE,
    usage.PAGE,
    sessions.PAGE,
    campaigns.PAGE,
    dashboards.PAGE,
    impressions.PAGE,
    configuration.PAGE,
    dead_letters.PAGE,
    tables.PAGE,
)

BESIDE: tuple[Page, ...] = (login.PAGE,)
"""Pages that the navigation doesn't lead to."""
