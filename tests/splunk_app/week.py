"""A week of events, made of the golden ones: three tenants, a release that breaks the shop, a Splunk that is away.

With ``trouble=False`` the same week without anything that an alert should tell. The same on every machine and day.
"""

import copy
import math
import random
from typing import Any

from tests.spl.times import written
from tests.spl.values import Row
from tests.splunk_app.events import HecEvent, goldens, heartbeat_of, row

NOW = 1_795_869_000.0
"""2026-11-28 12:30 UTC."""
HOUR, DAY = 3_600.0, 86_400.0
HOURS = 24 * 7
PROJECTS = {"acme": ("shop", "stock", "checkout"), "globex": ("web", "api"), "initech": ("reports",)}
SILENT_TENANT, SILENT_HOURS = "initech", 40
NEVER_HEARD = "hooli"
_TITLES = (
    ("PaymentError", "order not paid", "shop/pay.py:88 in charge"),
    ("TimeoutError", "the bank did not answer", "shop/bank.py:12 in ask"),
    ("KeyError", "'sku'", "stock/items.py:41 in find"),
    ("ReferenceError", "cart is not defined", "src/cart.js:207 in total"),
    ("IntegrityError", "duplicate key in orders", "shop/orders.py:133 in save"),
    ("ValueError", "no date: 31 February", "reports/month.py:9 in days"),
)
_PEOPLE = (None, "Anna Weiß", "payments", "Ben Okri")


class Week:
    """Makes the events; ``events`` are hec_events with the time they were indexed."""

    def __init__(self, *, trouble: bool = True, hours: int = HOURS) -> None:
        self._random = random.Random(7)  # noqa: S311 - the same week every time
        self._templates = {name: event for name, event in goldens().items() if ".typical" in name}
        self._trouble = trouble
        self.events: list[tuple[HecEvent, float]] = []
        for tenant, projects in PROJECTS.items():
            for hour in range(hours):
                if trouble and tenant == SILENT_TENANT and hour < SILENT_HOURS:
                    continue
                for project in projects:
                    self._hour(tenant, project, NOW - HOUR * (hour + 1), hour)
            self._rare(tenant, projects[0])
            self._heartbeats(tenant)
        if trouble:
            self._bad_hour()

    def rows(self) -> list[Row]:
        """The events as a search sees them."""
        return [row(event, indexed_at) for event, indexed_at in self.events]

    def _add(self, event: HecEvent, waited: float) -> HecEvent:
        fields, inside = event["fields"], event["event"]
        inside["delivery_id"] = f"{self._random.getrandbits(128):032x}"
        fields |= {"relay_delivery_id": inside["delivery_id"], "relay_waited": int(waited)}
        for name in ("tenant", "resource", "action", "project", "environment", "level"):
            fields.pop(f"relay_{name}", None)
            if inside.get(name) is not None:
                fields[f"relay_{name}"] = inside[name]
        event["source"] = f"sentry:{inside['tenant']}"
        self.events.append((event, float(event["time"]) + 0.4 + waited))
        return event

    def hook(self, template: str, at: float, tenant: str, *, waited: float = 0.0, **said: Any) -> HecEvent:
        """One hook like the golden one of this name, with other values; ``None`` takes a field away."""
        event = copy.deepcopy(self._templates[f"{template}.typical"])
        event["event"] |= {"tenant": tenant, "organization": tenant, **said}
        event["event"] = {name: value for name, value in event["event"].items() if value is not None}
        if "url" in event["event"]:
            event["event"]["url"] = f"https://{tenant}.sentry.io/issues/{said.get('issue_id', 6100000001)}/"
        event["time"] = f"{at:.3f}"
        event["host"] = event["event"].get("server_name", f"{tenant}.sentry.io")
        return self._add(event, waited)

    def _gap(self, tenant: str, at: float, cause: str) -> None:
        """An hour in which Sentry could not deliver, as the relay found it."""
        inside: dict[str, Any] = {"schema": 2, "tenant": tenant, "resource": "gap", "action": "found", "cause": cause}
        inside |= {"from": _date(at - HOUR), "to": _date(at), "expected": 22, "repaired": 20, "not_repairable": 2}
        self._add(
            {"time": f"{at:.3f}", "host": "relay-1", "sourcetype": "sentry:gap", "fields": {}, "event": inside}, 0
        )

    def _error(self, tenant: str, project: str, at: float, number: int, **said: Any) -> HecEvent:
        kind, value, frame = _TITLES[number]
        newest = project == "shop" and at > NOW - 3 * HOUR
        return self.hook(
            "error.created",
            at,
            tenant,
            **{
                "project": project,
                "issue_id": f"{project}-{number}",
                "title": f"{kind}: {value}",
                "exception_type": kind,
                "exception_value": value,
                "frame": frame,
                "level": self._random.choice(("error",) * 7 + ("warning",) * 2),
                "release": f"{project}@2.{5 if newest else 4}.{0 if newest else int((at - NOW) // DAY) % 3}",
                "environment": self._random.choice(("production", "production", "staging")),
                "user_id": f"u-{self._random.randint(1, 60)}",
                "server_name": f"web-{self._random.randint(1, 5)}",
                "handled": self._random.random() < 0.3,
                **said,
            },
        )

    def _issue(self, tenant: str, project: str, at: float, number: int, action: str, **said: Any) -> HecEvent:
        kind, value, _ = _TITLES[number % len(_TITLES)]
        states = {"resolved": ("resolved", None), "archived": ("ignored", "archived_until_escalating")}
        status, substatus = states.get(action, ("unresolved", "new" if action == "created" else "ongoing"))
        began = at if action == "created" else at - self._random.random() * 30 * HOUR
        return self.hook(
            "issue.created",
            at,
            tenant,
            **{
                "project": project,
                "issue_id": f"{project}-{number}",
                "short_id": f"{project.upper()}-{number}",
                "title": f"{kind}: {value}",
                "action": action,
                "status": status,
                "substatus": substatus,
                "level": self._random.choice(("error", "error", "warning")),
                "assignee": self._random.choice(_PEOPLE),
                "priority": self._random.choice(("high", "medium", "low")),
                "first_seen": _date(began),
                **said,
            },
        )

    def _hour(self, tenant: str, project: str, begins: float, hour: int) -> None:
        """An hour of a project: more by day than by night, and the bad release of the shop."""
        by_day = 2.5 + 2 * math.sin((begins % DAY) / DAY * math.tau - 1.5)
        bad = self._trouble and project == "shop" and hour in (0, 1, 2)
        for _ in range(int(by_day * self._random.random() * 2) + (14 if bad else 0)):
            number = 0 if bad and self._random.random() < 0.6 else self._random.randrange(len(_TITLES))
            self._error(tenant, project, begins + self._random.random() * 3_500, number)
        if self._random.random() < 0.3:
            action = self._random.choice(("created", "created", "assigned", "resolved", "unresolved", "archived"))
            self._issue(tenant, project, begins + self._random.random() * 3_500, self._random.randint(1, 400), action)
        if self._random.random() < 0.12:
            rule = self._random.choice(("Payments fail", "New in production", "More than 100 users"))
            number = self._random.randrange(len(_TITLES))
            self.hook(
                "event_alert.triggered", begins, tenant, project=project, rule=rule, issue_id=f"{project}-{number}"
            )

    def _metric(self, tenant: str, number: int, at: float, action: str, began: float, project: str | None) -> None:
        severity = {"critical": "critical", "warning": "medium"}.get(action, "informational")
        said: dict[str, Any] = {"alert_id": str(number), "action": action, "severity": severity}
        said |= {"first_seen": _date(began), "trigger": action, "project": project}
        template = "metric_alert.resolved" if action == "resolved" else "metric_alert.critical"
        self.hook(template, at, tenant, rule="Failed payments", **said)

    def _rare(self, tenant: str, project: str) -> None:
        """What comes a few times a week."""
        for number in range(5):
            at = NOW - (6 - number) * DAY + self._random.random() * HOUR
            self._metric(tenant, 500 + number, at, "critical", at - 120, project if number else None)
            self._metric(
                tenant, 500 + number, at + 600 * (number + 1), "resolved", at - 120, project if number else None
            )
        for template in (
            "comment.created",
            "seer.coding_completed",
            "activity_alert.triggered",
            "installation.created",
        ):
            for days in (1, 3, 6):
                self.hook(template, NOW - days * DAY + 2 * HOUR, tenant)

    def _heartbeats(self, tenant: str) -> None:
        """Every five minutes of the last day; those of a tenant that is silent ended with it."""
        last = NOW - SILENT_HOURS * HOUR if self._trouble and tenant == SILENT_TENANT else NOW - 60
        for step in range(12 * 25):
            at = last - 300 * step
            late = self._trouble and tenant == "globex" and at > NOW - 1_500
            books = {
                "waiting": int((at - NOW + 1_500) * 0.4) if late else self._random.randint(0, 6),
                "oldest_waiting_s": int(at - NOW + 1_800) if late else self._random.randint(0, 2),
                "dead": 3 if late and at > NOW - 900 else 0,
                "delivered": 4_000 - step,
            }
            paused_for = "Splunk does not answer" if late else ""
            said = heartbeat_of(tenant, at, books, resent=25 if late else 0, paused_for=paused_for)
            self.events.append((said, at + 0.4))

    def _bad_hour(self) -> None:
        """Everything that an alert has to tell, in the hour before now."""
        for age in (30, 90, 150):
            self._error("acme", "shop", NOW - age, 0, level="fatal", handled=False, environment="production")
        for number in range(7):
            self._issue("acme", "checkout", NOW - 2_700 - number * 60, 900 + number, "created")
        self._issue("acme", "shop", NOW - 400, 0, "unresolved", substatus="regressed", status="unresolved")
        self._issue("globex", "api", NOW - 26 * HOUR, 3, "unresolved", substatus="regressed")
        self._metric("acme", 620, NOW - 5_400, "critical", NOW - 5_500, "shop")
        self._metric("globex", 621, NOW - 900, "warning", NOW - 1_000, None)
        self.hook("installation.deleted", NOW - 300, "globex", status="deleted", title="relay removed from globex")
        for age in (900, 700, 650):
            self._error("globex", "api", NOW - age, 1)
            late = self.hook("error.created", NOW - age - 20, "globex", project="api", issue_id="api-1", waited=500.0)
            again = copy.deepcopy(late)
            again["fields"]["relay_attempt"] = 2
            self.events.append((again, NOW - 100))
        unknown = self.hook("tide_table.published", NOW - 2 * HOUR, "globex")
        unknown["event"]["flags"] = ["unknown_resource"]
        for at, cause in ((NOW - 30 * HOUR, "the relay did not run"), (NOW - 500, "500 was answered")):
            self._gap("acme", at, cause)
        for age in range(20):
            event = self._error("acme", "stock", NOW - 30.5 * HOUR - age * 60, 2, backfilled=True)
            event["fields"]["relay_backfilled"] = "true"


def _date(at: float) -> str:
    return written(at, "%Y-%m-%dT%H:%M:%S.000000Z")
