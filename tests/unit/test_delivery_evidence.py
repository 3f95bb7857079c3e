"""What may be said of claiming: never that all is well while nobody has looked."""

import pytest

from app.delivery.evidence import claim_trouble


@pytest.mark.parametrize(
    ("silent_s", "fault", "said"),
    [
        (None, "", "nothing has been claimed from the spool yet"),
        (0.0, "", None),
        (5.0, "", None),
        (7.4, "", "the spool has not been asked for deliveries for 7 s"),
        (None, "disk full", "nothing can be claimed from the spool: disk full"),
        (0.3, "disk full", "nothing can be claimed from the spool: disk full"),
        (61.0, "disk full", "nothing can be claimed from the spool for 61 s: disk full"),
    ],
)
def test_each_state_of_claiming_has_its_words(silent_s: float | None, fault: str, said: str | None) -> None:
    """A fault is told at once, silence after a while."""
    assert claim_trouble(silent_s=silent_s, fault=fault, patience_s=5.0) == said
