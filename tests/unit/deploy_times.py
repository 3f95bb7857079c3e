"""What a stop may take, by the settings; and what a deployment says of times."""

import re

from app.settings import Settings

UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


def stop_s(settings: Settings) -> float:
    """The longest that an orderly stop takes (docs/operations.md, Stopping)."""
    return settings.drain_delay_s + settings.body_deadline_s + settings.drain_deadline_s


def seconds(text: str) -> float:
    """Of ``45s``, ``1m`` or ``45``."""
    found = re.fullmatch(r"(\d+)(ms|s|m|h|)", text)
    assert found, text
    return int(found[1]) * UNITS_S[found[2]]
