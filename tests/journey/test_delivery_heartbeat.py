"""Heartbeats: a Splunk is told that the relay lives, and how its own destination is."""

from pathlib import Path
from typing import Any

from app.sandbox.splunk import Fault, HecToken, Indexed, StandInSplunk
from tests.journey.delivery_world import Part, until, world


def parts(splunk: StandInSplunk, **more: Any) -> list[Part]:
    """A tenant with a heartbeat every second, and one without."""
    splunk.set_token(HecToken("acme-token", indexes=("sentry",)))
    splunk.set_token(HecToken("globex-token", indexes=("sentry",)))
    asking = Part("acme", splunk.url, "acme-token", more={"heartbeat": 1, **more})
    return [asking, Part("globex", splunk.url, "globex-token")]


def beats(splunk: StandInSplunk) -> list[Indexed]:
    """The heartbeats that arrived."""
    return [each for each in splunk.indexed if each.sourcetype == "sentry:relay"]


def said(indexed: Indexed) -> dict[str, Any]:
    """What one says."""
    assert isinstance(indexed.event, dict)
    return indexed.event


async def test_a_destination_that_asks_gets_heartbeats_of_its_own(tmp_path: Path) -> None:
    """Who, what, and the books of that stream alone; nothing is spooled, and no other destination gets any."""
    async with StandInSplunk([]) as splunk, world(tmp_path, parts(splunk)) as here:
        await here.accept(3)
        await here.accept(2, tenant="globex")
        here.run(host="relay-7")
        await here.until_settled()
        await until(lambda: any(said(each).get("delivered") == 3 for each in beats(splunk)))
        beat = next(each for each in beats(splunk) if said(each).get("delivered") == 3)
        assert (beat.token, beat.index, beat.host, beat.source) == ("acme-token", "sentry", "relay-7", "sentry:acme")
        wanted = {"schema": 2, "tenant": "acme", "resource": "relay", "action": "heartbeat", "destination": "main"}
        assert list(said(beat).items())[:5] == list(wanted.items())
        numbers = {"waiting": 0, "oldest_waiting_s": 0, "dead": 0, "delivered": 3, "resent": 0}
        assert {name: said(beat)[name] for name in numbers} == numbers
        assert "paused" not in said(beat)
        assert {name: beat.fields[name] for name in ("relay_tenant", "relay_resource", "relay_action")} == {
            "relay_tenant": "acme",
            "relay_resource": "relay",
            "relay_action": "heartbeat",
        }
        assert "relay_delivery_id" not in beat.fields
        assert {each.token for each in beats(splunk)} == {"acme-token"}
        assert (await here.spool.stats()).hooks == 0


async def test_what_waits_and_why_is_in_the_heartbeat(tmp_path: Path) -> None:
    """An index that is refused pauses its lane: the heartbeat, which goes elsewhere, says so."""
    routes = ({"when": {"resource": "issue"}, "index": "forbidden"},)
    async with StandInSplunk([]) as splunk:
        asking = parts(splunk)
        asking[0].routes = routes
        async with world(tmp_path, asking) as here:
            await here.accept(1, ago_s=7200)
            here.run()
            await until(lambda: any(said(each).get("paused") for each in beats(splunk)))
            beat = next(said(each) for each in beats(splunk) if said(each).get("paused"))
            assert "may not write to this index" in beat["paused"]
            assert (beat["waiting"], beat["delivered"]) == (1, 0)
            assert 7200 <= beat["oldest_waiting_s"] < 7200 + 600
            assert beat["resent"] > 0
            assert beat["hec_codes"]["7"] > 0


async def test_a_heartbeat_that_fails_is_said_and_forgotten(tmp_path: Path) -> None:
    """A Splunk that takes nothing is told nothing later: no retry, no spool, and delivering does not notice."""
    async with StandInSplunk([]) as splunk, world(tmp_path, parts(splunk)) as here:
        splunk.always(Fault.status(503))
        here.run()
        await until(lambda: here.said("heartbeat.failed"))
        line = here.said("heartbeat.failed")[0]
        assert (line["tenant"], line["destination"]) == ("acme", "main")
        assert "503" in line["words"]
        assert not here.supervisor.states()
        assert await here.waiting() == 0


async def test_heartbeats_follow_the_tenants_file(tmp_path: Path) -> None:
    """Asked for while the relay runs, they come; with acks asked for, they are posted all the same."""
    async with StandInSplunk([]) as splunk:
        asking = parts(splunk, ack=True)
        splunk.set_token(HecToken("acme-token", indexes=("sentry",), use_ack=True))
        async with world(tmp_path, asking) as here:
            here.run()
            await until(lambda: len(beats(splunk)) > 1)
