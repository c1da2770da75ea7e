"""The users, tokens and sessions there are, as the rows of the log say. Plain state, no I/O."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from app.people.rows import Password, Right, Role, Session, Token, User, decode, digest


@dataclass(frozen=True)
class Person:
    """Who asks. `session` is the id of a browser's sign-in, empty for a program."""

    name: str
    role: Role
    rights: frozenset[Right] = frozenset()
    user: str = ""
    session: str = ""


@dataclass
class Book:
    """By name; sessions and tokens by the digest of their secret too."""

    users: dict[str, User] = field(default_factory=dict)
    passwords: dict[str, Password] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    _token_names: dict[str, str] = field(default_factory=dict)

    def take(self, key: bytes, value: bytes | None) -> None:
        """A row of the log, in order. Raises msgspec.DecodeError for one of a later version."""
        kind, _, name = key.decode().partition("/")
        if value is None:
            self._drop(kind, name)
            return
        row = decode(value)
        if isinstance(row, User):
            self.users[name] = row
        elif isinstance(row, Password):
            self.passwords[name] = row
        elif isinstance(row, Token):
            self._drop("token", name)
            self.tokens[name] = row
            self._token_names[row.digest] = name
        elif isinstance(row, Session):
            self.sessions[name] = row
        else:
            self.keys[name] = row.secret

    def _drop(self, kind: str, name: str) -> None:
        if kind == "user":
            self.users.pop(name, None)
        elif kind == "password":
            self.passwords.pop(name, None)
        elif kind == "session":
            self.sessions.pop(name, None)
        elif kind == "token":
            token = self.tokens.pop(name, None)
            if token is not None:
                self._token_names.pop(token.digest, None)

    def password_of(self, name: str) -> Password | None:
        """The password that the user of that name has now."""
        user, kept = self.users.get(name), self.passwords.get(name)
        return kept if user is not None and kept is not None and kept.user == user.id else None

    def session_of(self, secret: str, now_ms: int) -> Session | None:
        """The session of a cookie, unless it is over or its user is gone."""
        found = self.sessions.get(digest(secret))
        return found if found is not None and self.is_live(found, now_ms) else None

    def is_live(self, session: Session, now_ms: int) -> bool:
        """Whether the session counts."""
        user = self.users.get(session.name)
        return user is not None and user.id == session.user and now_ms < session.ends_ms

    def person_of(self, session: Session) -> Person:
        """Who signed in; the session is live."""
        user = self.users[session.name]
        return Person(user.name, user.role, frozenset(user.rights), user.id, session.id)

    def bearer_of(self, secret: str) -> Person | None:
        """The program that a token is of."""
        name = self._token_names.get(digest(secret))
        if name is None:
            return None
        token = self.tokens[name]
        return Person(token.name, token.role, frozenset(token.rights))

    def sessions_of(self, user: str, now_ms: int) -> list[Session]:
        """A user's live sessions, the latest first."""
        mine = (s for s in self.sessions.values() if s.user == user and self.is_live(s, now_ms))
        return sorted(mine, key=lambda s: (s.started_ms, s.id), reverse=True)

    def over(self, now_ms: int) -> Iterable[Session]:
        """Sessions that count no more."""
        return [s for s in self.sessions.values() if not self.is_live(s, now_ms)]

    def admins(self) -> list[str]:
        """The names of the users with that role."""
        return [user.name for user in self.users.values() if user.role == "admin"]
