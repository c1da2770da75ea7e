"""The pages of the console, in the order of the navigation.

A new page is one file and one line here.
"""

from app.web.pages import campaigns, configuration, dead_letters, impressions, overview, sessions
from app.web.pages.shell import Page

PAGES: tuple[Page, ...] = (
    overview.PAGE,
    sessions.PAGE,
    campaigns.PAGE,
    impressions.PAGE,
    configuration.PAGE,
    dead_letters.PAGE,
)
