"""Takes credentials, people's addresses and whatever a tenant masks out of what is about to leave, at any depth.

Two looks: ``redact`` walks values (keys, lists of header pairs, ``{"name", "value"}`` objects, every string);
``scrub`` (in ``scrubbing``) reads text, which may be a URL, a log line, or JSON that nobody could parse.
"""

from collections.abc import Iterable, Mapping

from app.tenants.privacy import Privacy
from app.transform.privacy.names import FILTERED, grant_code, query_secret, secret_name
from app.transform.privacy.personal import AddressPolicy, Known
from app.transform.privacy.scrub import scrub
from app.transform.privacy.tokens import CHARS_MIN

LEVELS_MAX = 60
"""How deep a kept payload may nest; orjson writes 254 levels, and no real payload has 30."""

_INSTALLATIONS = frozenset({"installation", "installations"})
_QUERIES = frozenset({"query", "query_string"})
"""Under these stands the query of a URL, alone."""
PEOPLE = frozenset({"user", "feedback"})
"""Under these stand objects with a person's ``name``."""
NEVER = frozenset({"_meta"})
"""Sentry's remarks on what it filtered, which may hold what was there before."""


class TooDeep(Exception):  # noqa: N818 - says what it found; it never leaves ``transform``
    """A value nests deeper than ``LEVELS_MAX``."""


class Redaction:
    """The rules of one tenant, and what is known of the person one hook is about."""

    __slots__ = ("_addresses", "_known", "_masks")

    def __init__(self, privacy: Privacy, known: Iterable[Known] = ()) -> None:
        self._addresses = AddressPolicy(privacy)
        self._known = tuple(known)
        self._masks = privacy.masks

    def redact(self, value: object, *, within: str = "", level: int = 0) -> object:
        """A copy without what must not leave. ``within``: the key that the value stands under.

        Raises:
            TooDeep: it nests deeper than ``LEVELS_MAX``.
        """
        if isinstance(value, str):
            return self.text(value)
        if not isinstance(value, dict | list):
            return self._number(value) if self._masks else value
        if level >= LEVELS_MAX:
            raise TooDeep
        if isinstance(value, list):
            return self._list(value, within, level + 1)
        named = entry_name(value)
        return {
            self.text(key): self.entry(named if key == "value" and named else key, item, within, level + 1)
            for key, item in value.items()
            if key not in NEVER
        }

    def field(self, name: str, value: object) -> object:
        """As ``redact``, of what stands under a name of the schema's own."""
        return self.entry(name, value, "", 0)

    def text(self, text: str, *, broken: bool = False, query: bool = False) -> str:
        """The text without what must not leave. ``broken`` and ``query`` say what it is, as for ``scrub``."""
        if len(text) < CHARS_MIN and text.isalnum() and not self._masks:
            return text  # a word: no token is as short, and an address has a sign in it
        text = scrub(text, self._addresses, broken=broken, query=query)
        for known in self._known:
            text = known.replaced(text)
        for mask in self._masks:
            text = mask.apply(text)
        return text

    def entry(self, key: str, value: object, within: str, level: int) -> object:
        """What stands under a key, or what stands in its place."""
        if value is None or isinstance(value, bool) or value == "":
            return value
        if self.hides(key, value, within):
            return FILTERED
        if isinstance(value, str):
            instead = self._addresses.replacement_for(_named(key, within), value)
            return self.text(value, query=key in _QUERIES) if instead is None else instead
        return self.redact(value, within=key, level=level)

    def hides(self, key: str, value: object, within: str) -> bool:
        """Whether nothing that stands under this key may be seen. ``within``: the key of the object with the key."""
        if key.lower() == "code":
            return within.lower() in _INSTALLATIONS or grant_code(value)
        return secret_name(key)

    def _list(self, value: list[object], within: str, level: int) -> list[object]:
        """A list; of ``["Authorization", "..."]``, how Sentry writes headers and cookies, the name counts."""
        name, second = (value[0], value[1]) if len(value) > 1 else (None, None)
        if isinstance(name, str) and isinstance(second, str | list):
            hidden = within in _QUERIES and isinstance(second, str) and query_secret(name, second)
            instead = FILTERED if hidden else self.entry(name, second, "", level)
            return [self.text(name), instead, *(self.redact(item, level=level) for item in value[2:])]
        return [self.entry(within, item, "", level) for item in value]

    def _number(self, value: object) -> object:
        """A number may be what a mask is meant for: a card's, written without quotes."""
        if value is None or isinstance(value, bool):
            return value
        spelled = str(value)
        masked = spelled
        for mask in self._masks:
            masked = mask.apply(masked)
        return value if masked == spelled else masked


def _named(key: str, within: str) -> str:
    """The key, with the object's where only that tells that it is a person's name."""
    return "user.name" if key == "name" and within in PEOPLE else key


def entry_name(value: Mapping[str, object]) -> str | None:
    """The name in ``{"name": "Authorization", "value": "..."}``: how Sentry writes settings."""
    name = value.get("name", value.get("key"))
    return name if isinstance(name, str) else None
