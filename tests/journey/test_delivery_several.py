"""One hook that tells of several issues: each is a hec_event of its own, and all are settled or none."""

import time
from pathlib import Path

import orjson
import pytest

from app.model import Cause, Hook
from app.sandbox.splunk import Fault, HecToken, StandInSplunk
from tests.journey.delivery_world import Part, World, acme, ids_of, world

ID = "5e" * 16
IDS = [f"{ID}-1", f"{ID}-2", f"{ID}-3"]


def _post(*projects: str, size: int = 0) -> Hook:
    attachments = [
        {
            "title": f"no beer at {project} {'x' * size if number == 1 else ''}",
            "title_link": f"https://errors.example.org/kasse/issues/{number}",
            "text": "x" * (size if number == 1 else 0),
            "fields": [{"title": "Project", "value": project}],
        }
        for number, project in enumerate(projects)
    ]
    return Hook(
        delivery_id=ID,
        tenant="acme",
        sender="legacy",
        received_at=time.time(),
        key_digest=b"several-issues-!",
        payload=orjson.dumps({"text": f"GlitchTip Alert ({len(projects)} issues)", "attachments": attachments}),
    )


async def _accept(here: World, hook: Hook) -> None:
    await here.spool.accept(hook, ["main"])


async def test_each_issue_of_a_post_arrives_as_one_of_its_own(tmp_path: Path) -> None:
    """Beside other hooks; the books know one delivery, and no post holds more hec_events than it may."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk, batch=4) as here:
        ids = await here.accept(5)
        await _accept(here, _post("shop", "stock", "pay"))
        here.run()
        await here.until_settled()
        assert sorted(ids_of(splunk.indexed)) == sorted([*ids, *IDS])
        assert await here.delivered() == 6
        assert max(each.objects for each in splunk.requests) <= 4
        assert all(isinstance(each.fields["relay_waited"], int) for each in splunk.indexed)


@pytest.mark.parametrize("fault", [Fault.busy(after=2), Fault.cut(stored=True)], ids=["busy", "cut"])
async def test_what_was_taken_in_part_is_sent_again_with_a_mark(fault: Fault, tmp_path: Path) -> None:
    """Nothing of the post is lost, what may be a double says so, and the ids stay the same."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        await _accept(here, _post("shop", "stock", "pay"))
        splunk.script(fault)
        here.run()
        await here.until_settled()
        assert set(ids_of(splunk.indexed)) == set(IDS)
        seen: set[str] = set()
        for each in splunk.indexed:
            identity = str(each.fields["relay_delivery_id"])
            assert ("relay_attempt" in each.fields) or identity not in seen
            seen.add(identity)
        assert await here.delivered() == 1
        assert not await here.dead()


async def test_one_that_splunk_never_takes_buries_the_post_and_no_other(tmp_path: Path) -> None:
    """A dead letter that an operator sees; what came before and after it in the batch arrives."""
    async with StandInSplunk([], event_bytes_max=3_000) as splunk, acme(tmp_path, splunk, batch=20) as here:
        ids = await here.accept(2)
        await _accept(here, _post("shop", "stock", "pay", size=0))
        await _accept(here, _large())
        ids += await here.accept(2)
        here.run()
        await here.until_settled()
        assert {*ids, *IDS} <= set(ids_of(splunk.indexed))
        (dead,) = await here.dead()
        assert (dead.delivery_id, dead.cause) == (_large().delivery_id, Cause.REJECTED)


def _large() -> Hook:
    post = orjson.loads(_post("shop", "stock", "pay").payload)
    post["attachments"][1]["fields"] += [{"title": f"tag {n}", "value": "y" * 190} for n in range(30)]
    return Hook(
        delivery_id="1a" * 16,
        tenant="acme",
        sender="legacy",
        received_at=time.time(),
        key_digest=b"several-issues-2",
        payload=orjson.dumps(post),
    )


async def test_issues_of_several_indexes_travel_together(tmp_path: Path) -> None:
    """Each goes where its own route sends it; one that a route drops is not there."""
    routes = (
        {"when": {"project": "stock"}, "index": "stock"},
        {"when": {"project": "pay"}, "drop": True},
    )
    async with StandInSplunk([]) as splunk:
        splunk.set_token(HecToken("acme-token", indexes=("sentry", "stock")))
        async with world(tmp_path, [Part("acme", splunk.url, "acme-token", routes=routes)]) as here:
            await _accept(here, _post("shop", "stock", "pay"))
            here.run()
            await here.until_settled()
            assert {str(each.fields["relay_delivery_id"]): each.index for each in splunk.indexed} == {
                IDS[0]: "sentry",
                IDS[1]: "stock",
            }
