"""The last good value of a secret stays in force while its reference gives none."""

from collections.abc import Callable, Collection, Iterable, Mapping

from app.errors import ConfigError
from app.model import Secret
from app.tenants.model import Snapshot, Tenant

Resolve = Callable[[str], bytes]
"""Gives the value of a reference, or raises ``ConfigError`` with words that hold no value."""

Rule = Callable[[bytes], bytes]
"""Gives the value back, or raises ``ValueError`` with words that do not repeat it."""

_KEPT = "; its last good value stays in force"


class LastGoodSecrets:
    """Resolves secrets, falling back to the values that were good before."""

    def __init__(self, resolve: Resolve, good: Mapping[str, bytes]) -> None:
        self._resolve = resolve
        self._good = good
        self._asked: dict[str, str | None] = {}

    def secret(self, reference: str, rule: Rule) -> Secret:
        """The secret of this name.

        Raises:
            ConfigError: no good value, now or before; the text says why.
        """
        self._asked.setdefault(reference, None)
        try:
            return Secret(reference, rule(self._resolve(reference)))
        except (ConfigError, ValueError) as error:
            words = f"{reference} does not resolve: {error}"
        try:
            kept = Secret(reference, rule(self._good[reference]))
        except (KeyError, ValueError):
            raise ConfigError(words) from None
        self._asked[reference] = words + _KEPT
        return kept

    def keeps(self, reference: str) -> bool:
        """Whether a use of this reference had to be given the last good value."""
        return self._asked.get(reference) is not None

    def unresolved(self, before: Iterable[str] = ()) -> tuple[str, ...]:
        """Which references are kept and why; of ``before``, what was not asked for again stays said."""
        asked = tuple(f"{reference} " for reference in self._asked)
        others = (words for words in before if not words.startswith(asked))
        return tuple(sorted({*others, *(words for words in self._asked.values() if words is not None)}))


def values_of(snapshot: Snapshot, *, tenant: str | None = None) -> dict[str, bytes]:
    """Every secret in force, by its reference; of one tenant (who may be unknown) or of all."""
    tenants: Collection[Tenant] = snapshot.tenants.values()
    if tenant is not None:
        tenants = [snapshot.tenants[tenant]] if tenant in snapshot.tenants else []
    secrets = [*snapshot.shared_secrets] if tenant is None else []
    for each in tenants:
        secrets += each.client_secrets
        secrets += each.legacy_keys
        secrets += () if each.privacy.hash_key is None else (each.privacy.hash_key,)
        secrets += (secret for destination in each.destinations for secret in destination.secrets)
    return {secret.name: secret.value for secret in secrets}
