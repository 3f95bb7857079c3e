"""Which addresses have lately delivered a verified hook. Pure: ``now`` is an argument, in steady seconds."""

from collections import OrderedDict

KNOWN_S = 86_400.0
"""An address counts as known for so long."""
ADDRESSES_MAX = 10_000
"""Of more, those are forgotten that delivered longest ago."""


class Senders:
    """The known addresses."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, float] = OrderedDict()

    def proved(self, address: str, now: float) -> None:
        """A verified hook has come from there."""
        self._known[address] = now
        self._known.move_to_end(address)
        if len(self._known) > ADDRESSES_MAX:
            self._known.popitem(last=False)

    def known(self, address: str, now: float) -> bool:
        """Whether one came within ``KNOWN_S``."""
        at = self._known.get(address)
        return at is not None and now - at < KNOWN_S
