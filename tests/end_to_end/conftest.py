"""A browser for the tests of this folder, as those of tests/browser have it."""

from tests.browser.conftest import browser, open_page

__all__ = ["browser", "open_page"]
