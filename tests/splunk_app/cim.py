"""What Splunk's Common Information Model wants of the events: fields that are required, values that are prescribed.

These are facts of the models, which pytest-splunk-addon has as JSON; ``make splunk-app-inspect`` installs that package
and a test compares.
"""

from typing import NamedTuple


class Model(NamedTuple):
    """One dataset of a data model."""

    file: str
    datasets: tuple[str, ...]
    tags: tuple[str, ...]
    required: frozenset[str]
    prescribed: dict[str, tuple[str, ...]]

    def __hash__(self) -> int:
        """By its place."""
        return hash((self.file, self.datasets))


PROBLEM = Model(
    "Ticket_Management",
    ("All_Ticket_Management", "Problem"),
    ("ticketing", "problem"),
    frozenset({"dest", "priority", "severity", "severity_id", "status", "ticket_id"}),
    {},
)
CHANGE = Model(
    "Change",
    ("All_Changes",),
    ("change",),
    frozenset(
        {
            *("action", "change_type", "command", "dest", "dvc", "object", "object_attrs", "object_category"),
            *("object_id", "src", "status", "user", "vendor_product"),
        }
    ),
    {"status": ("success", "failure")},
)
ALERTS = Model(
    "Alerts",
    ("Alerts",),
    ("alert",),
    frozenset(
        {*("app", "description", "dest", "id", "severity", "signature", "signature_id", "src", "type", "user")},
    ),
    {
        "severity": ("critical", "high", "medium", "low", "informational"),
        "type": ("alarm", "alert", "event", "task", "warning"),
    },
)
