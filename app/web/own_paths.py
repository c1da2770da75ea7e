"""Where a sign-in leads: to a page of our own and nowhere else."""

import re
from urllib.parse import quote, urlsplit

HOME = "/"
# No control characters (they would end a header), no backslashes (browsers take them for slashes).
_PATH = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*")
_NOWHERE = ("/login", "/logout", "/api/", "/internal/", "/hooks/")


def own_path(text: str) -> str:
    """The path that `text` is, ready for a Location header; the Overview for anything else."""
    if not _PATH.fullmatch(text):
        return HOME
    parts = urlsplit(text)
    if parts.scheme or parts.netloc or parts.path.startswith(_NOWHERE):
        return HOME
    return quote(text, safe="/?&=%:;,+@!$'()*~[]#-._")
