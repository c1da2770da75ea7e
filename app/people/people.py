"""Users, tokens and sessions: who asks, and changes of them.

The log has all of it; every worker holds it in memory and follows. Each change is durable and in
force here when its method returns, elsewhere a moment later. Two workers that change the same name
at the same moment: the later row of the log holds, whole.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from secrets import token_hex, token_urlsafe
from typing import Any

from app.people.attempts import Attempts
from app.people.book import Book, Person
from app.people.errors import (
    BadPerson,
    NoSuchPerson,
    NotNow,
    TooManyTries,
    WrongPassword,
)
from app.people.journal import Journal, MemoryJournal, Take
from app.people.passwords import LONGEST, Passwords
from app.people.rows import (
    RIGHTS,
    ROLES,
    Key,
    Password,
    Right,
    Role,
    Row,
    Session,
    Token,
    User,
    digest,
    encode,
    key_of,
)
from config.clock import system_ms

SESSION_MS = 24 * 3_600_000  # a day at work: every morning somebody knows the password
SESSIONS_MAX = 50  # of a user; the oldest end first
TOKEN_PREFIX = "sluice_"  # so that scanners of source code find one that got into it
TRIES = "wrong_passwords"
"""What workers ask each other before a password is tried; who doesn't answer is left out."""
AskOthers = Callable[[str, dict[str, Any]], Awaitable[list[Any]]]
CURSORS = "cursors"
"""Name of the key that seals cursors in which a phone number stands."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
RESERVED = frozenset({"local"})  # who changes something while there are no users


@dataclass(frozen=True)
class SignedIn:
    """A new session, and the secret that goes into its cookie."""

    session: Session
    secret: str


class People:
    """See the module. `make_journal` gets what takes its rows."""

    def __init__(
        self,
        make_journal: Callable[[Take], Journal] = MemoryJournal,
        passwords: Passwords | None = None,
        attempts: Attempts | None = None,
        now_ms: Callable[[], int] = system_ms,
    ) -> None:
        self.book = Book()
        self.first_user = asyncio.Event()
        self.ask_others: AskOthers | None = None
        self.questions = {TRIES: self.tries}
        self._journal = make_journal(self._take)
        self._passwords = passwords or Passwords()
        self._attempts = attempts or Attempts()
        self._now_ms = now_ms
        self._one_change = asyncio.Lock()
        self._newer: asyncio.Task[None] | None = None

    def _take(self, key: bytes, value: bytes | None) -> None:
        self.book.take(key, value)
        if self.book.users:
            self.first_user.set()

    async def start(self, first_password: str = "") -> None:
        """Reads all there is; makes `admin` when there is no user and a password for one."""
        await self._journal.catch_up()
        if CURSORS not in self.book.keys:
            await self._write([Key(CURSORS, token_hex(64))], [])
        if first_password and not self.any_users:
            await self.add_user("admin", "admin", (), first_password, "settings")

    async def follow(self) -> None:
        """Takes what other workers write as it comes, until it is cancelled."""
        await self._journal.follow()

    @property
    def cursor_key(self) -> bytes:
        """The same for all workers; 64 bytes."""
        return bytes.fromhex(self.book.keys.setdefault(CURSORS, token_hex(64)))

    # Who asks

    @property
    def any_users(self) -> bool:
        """Whether a user is set up; tokens alone don't count."""
        return bool(self.book.users)

    async def by_session(self, secret: str) -> Person | None:
        """Whose cookie it is."""
        found = self.book.session_of(secret, self._now_ms())
        if found is None:
            await self._hear()
            found = self.book.session_of(secret, self._now_ms())
        return None if found is None else self.book.person_of(found)

    async def by_token(self, secret: str) -> Person | None:
        """Whose token it is."""
        found = self.book.bearer_of(secret)
        if found is None:
            await self._hear()
            found = self.book.bearer_of(secret)
        return found

    def still(self, person: Person) -> bool:
        """Whether what was found a while ago still holds: sign-in, token, role and rights."""
        if person.session:
            found = [s for s in self.book.sessions_of(person.user, self._now_ms())
                     if s.id == person.session]  # fmt: skip
            return bool(found) and self.book.person_of(found[0]) == person
        token = self.book.tokens.get(person.name)
        return token is not None and (token.role, frozenset(token.rights)) == (
            person.role,
            person.rights,
        )

    async def _hear(self) -> None:
        """Another worker may have made it just now: the log is asked, once for all who wait."""
        if self._newer is None or self._newer.done():
            self._newer = asyncio.create_task(self._journal.catch_up())
        await asyncio.shield(self._newer)

    # Signing in

    async def sign_in(self, name: str, password: str, address: str) -> SignedIn:
        """Raises WrongPassword, TooManyTries and Unavailable."""
        await self.check(name, password, address)
        user = self.book.users.get(name)
        if user is None:  # removed while the password was checked
            raise WrongPassword
        return await self.begin_session(user, address)

    async def check(self, name: str, password: str, address: str) -> None:
        """The same without a session."""
        tried = name[:LONGEST]
        elsewhere = await self._at_others(tried, address, right=False)
        wait_s = self._attempts.begin(tried, address, elsewhere)
        if wait_s:
            raise TooManyTries(wait_s)
        await self._hear()
        kept = self.book.password_of(name)
        if not await self._passwords.matches(None if kept is None else kept.hash, password):
            raise WrongPassword
        self._attempts.right(tried, address)
        if elsewhere:
            await self._at_others(tried, address, right=True)

    async def tries(self, asked: dict[str, Any]) -> list[float]:
        """For another worker: the ages of wrong passwords here, in seconds; with `right` they are
        forgotten."""
        ages = self._attempts.ages(asked["name"], asked["address"])
        if asked["right"]:
            self._attempts.right(asked["name"], asked["address"])
        return ages

    async def _at_others(self, name: str, address: str, *, right: bool) -> list[float]:
        if self.ask_others is None:
            return []
        asked = {"name": name, "address": address, "right": right}
        told = await self.ask_others(TRIES, asked)
        return [age for one in told for age in one]

    async def begin_session(self, user: User, address: str) -> SignedIn:
        """A session with an id that nobody had before."""
        now, secret = self._now_ms(), token_urlsafe(32)
        made = Session(
            token_hex(8), user.id, user.name, digest(secret), now, now + SESSION_MS, address
        )
        old = [*self.book.over(now), *self.book.sessions_of(user.id, now)[SESSIONS_MAX - 1 :]]
        await self._write([made], [key_of(each) for each in old])
        return SignedIn(made, secret)

    def sessions_of(self, person: Person) -> list[Session]:
        """The live sessions of somebody who has signed in, the latest first."""
        return self.book.sessions_of(person.user, self._now_ms()) if person.user else []

    def live_sessions(self, user: User) -> int:
        """In how many browsers a user is signed in."""
        return len(self.book.sessions_of(user.id, self._now_ms()))

    async def end_session(self, person: Person, session_id: str) -> Session:
        """Ends one of their own. Raises NoSuchPerson."""
        for session in self.sessions_of(person):
            if session.id == session_id:
                await self._write([], [key_of(session)])
                return session
        raise NoSuchPerson(f"session {session_id!r} of yours")

    async def change_password(self, person: Person, old: str, new: str, address: str) -> int:
        """Ends their other sessions; returns how many. Raises WrongPassword, TooManyTries,
        BadPerson and NotNow.
        """
        if not person.user or self.book.password_of(person.name) is None:
            raise NotNow(f"{person.name} has no password here")
        _check_password(new)
        try:
            await self.check(person.name, old, address)
        except WrongPassword:
            raise WrongPassword("the old password") from None
        kept = await self._passwords.hash(new)
        others = [s for s in self.sessions_of(person) if s.id != person.session]
        row = Password(person.user, person.name, kept, self._now_ms())
        await self._write([row], [key_of(each) for each in others])
        return len(others)

    # Users

    async def add_user(
        self, name: str, role: str, rights: Sequence[str], password: str, actor: str
    ) -> User:
        """Raises BadPerson; NotNow for a name that is taken, and a first user who is no admin."""
        _check_password(password)
        made = User(token_hex(8), _name(name), _role(role), _rights(rights), self._now_ms(), actor)
        kept = await self._passwords.hash(password)
        async with self._one_change:
            await self._journal.catch_up()
            self._check_free(name)
            self._check_first(made.role)
            await self._write([made, Password(made.id, name, kept, self._now_ms())], [])
        return made

    async def change_user(
        self,
        name: str,
        role: str | None = None,
        rights: Sequence[str] | None = None,
        password: str | None = None,
    ) -> tuple[User, User]:
        """(before, after). A new password ends all of the user's sessions. Raises as `add_user`
        does, and NoSuchPerson.
        """
        if password is not None:
            _check_password(password)
        kept = None if password is None else await self._passwords.hash(password)
        async with self._one_change:
            await self._journal.catch_up()
            before = self._user(name)
            if kept is not None and before.subject:
                raise NotNow(f"{name} signs in with OpenID Connect and has no password here")
            after = User(
                before.id, name,
                before.role if role is None else _role(role),
                before.rights if rights is None else _rights(rights),
                before.made_ms, before.made_by, before.subject,
            )  # fmt: skip
            if after.role != "admin":
                self._check_not_last(name)
            rows: list[Row] = [after]
            ended: list[bytes] = []
            if kept is not None:
                rows.append(Password(before.id, name, kept, self._now_ms()))
                ended = [key_of(s) for s in self.book.sessions_of(before.id, self._now_ms())]
            await self._write(rows, ended)
        return before, after

    async def remove_user(self, name: str) -> User:
        """Ends their sessions with it. Raises NoSuchPerson, and NotNow for the last admin."""
        async with self._one_change:
            await self._journal.catch_up()
            user = self._user(name)
            self._check_not_last(name)
            sessions = [s for s in self.book.sessions.values() if s.user == user.id]
            gone = [key_of(user), f"password/{name}".encode(), *map(key_of, sessions)]
            await self._write([], gone)
        return user

    async def known_by(self, name: str, subject: str, role: Role, rights: Sequence[Right]) -> User:
        """The user that OpenID Connect says signs in, made or brought up to date. Raises BadPerson
        and NotNow.
        """
        async with self._one_change:
            await self._journal.catch_up()
            before = self.book.users.get(_name(name))
            if before is None:
                self._check_free(name)
                self._check_first(role)
            elif before.subject != subject:
                raise NotNow(f"the name {name} is somebody else's here")
            elif role != "admin":
                self._check_not_last(name)
            made_ms = self._now_ms() if before is None else before.made_ms
            user_id = token_hex(8) if before is None else before.id
            made = User(user_id, name, role, tuple(rights), made_ms, "OpenID Connect", subject)
            if made != before:
                await self._write([made], [])
        return made

    # Tokens

    async def create_token(
        self, name: str, role: str, rights: Sequence[str], actor: str
    ) -> tuple[Token, str]:
        """The token's secret is told here and never again. Raises BadPerson and NotNow."""
        secret = TOKEN_PREFIX + token_urlsafe(32)
        made = Token(
            token_hex(8), _name(name), _role(role), _rights(rights), self._now_ms(), actor,
            digest(secret),
        )  # fmt: skip
        async with self._one_change:
            await self._journal.catch_up()
            self._check_free(name)
            await self._write([made], [])
        return made, secret

    async def revoke_token(self, name: str) -> Token:
        """Raises NoSuchPerson."""
        async with self._one_change:
            await self._journal.catch_up()
            token = self.book.tokens.get(name)
            if token is None:
                raise NoSuchPerson(f"token {name!r}")
            await self._write([], [key_of(token)])
        return token

    def _user(self, name: str) -> User:
        found = self.book.users.get(name)
        if found is None:
            raise NoSuchPerson(f"user {name!r}")
        return found

    def _check_free(self, name: str) -> None:
        if name in RESERVED:
            raise NotNow(f"the name {name} is the product's own")
        if name in self.book.users or name in self.book.tokens:
            what = "user" if name in self.book.users else "token"
            raise NotNow(f"there is a {what} {name!r} already; names are told apart in the audit")

    def _check_first(self, role: Role) -> None:
        if not self.any_users and role != "admin":
            raise NotNow(f"the first user must be admin, not {role}: nobody could add others")

    def _check_not_last(self, name: str) -> None:
        if self.book.admins() == [name]:
            raise NotNow(f"{name} is the last admin: make another user admin first")

    async def _write(self, rows: Sequence[Row], gone: Sequence[bytes]) -> None:
        pairs = [(key_of(row), encode(row)) for row in rows]
        await self._journal.append([*pairs, *((key, None) for key in gone)])


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        expected = "1 to 64 letters, digits and . _ @ + -, a letter or digit first"
        raise BadPerson("name", name, expected)
    return name


def _role(role: str) -> Role:
    for known in ROLES:
        if role == known:
            return known
    raise BadPerson("role", role, f"one of {', '.join(ROLES)}")


def _rights(rights: Sequence[str]) -> tuple[Right, ...]:
    for right in rights:
        if right not in RIGHTS:
            raise BadPerson("rights", right, f"some of {', '.join(RIGHTS)}")
    return tuple(known for known in RIGHTS if known in rights)


def _check_password(password: str) -> None:
    if not password or len(password) > LONGEST:
        raise BadPerson("password", "", f"1 to {LONGEST:,} characters")
