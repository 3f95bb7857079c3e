"""What becomes of deliveries when Splunk answers this or that: a real spool, a real wire, a stand-in Splunk."""

import math
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app.metrics import Metrics
from app.model import Cause, Stream
from app.sandbox.splunk import Fault, HecToken, StandInSplunk
from tests.journey.delivery_world import Part, StayingSplunk, acme, ids_of, until, world

CLEAN = [
    pytest.param(Fault.busy(), id="503 code 9"),
    pytest.param(Fault.busy(after=3), id="503 code 9 with a number"),
    pytest.param(Fault.status(503), id="503 html"),
    pytest.param(Fault.status(404, html=False), id="404"),
    pytest.param(Fault.status(429), id="429 html"),
    pytest.param(Fault.code(26), id="429 code 26"),
    pytest.param(Fault.shutting_down(), id="503 code 23"),
    pytest.param(Fault.code(4), id="403 code 4"),
    pytest.param(Fault.code(1), id="403 code 1"),
    pytest.param(Fault.code(10), id="400 code 10"),
    pytest.param(Fault.status(401), id="401 html"),
    pytest.param(Fault.redirect("http://127.0.0.1:1/"), id="302"),
    pytest.param(Fault.status(413), id="413"),
    pytest.param(Fault.status(400), id="400 html"),
    pytest.param(Fault.status(415), id="415"),
    pytest.param(Fault.accept_then(24), id="200 code 24"),
    pytest.param(Fault.code(6, number=4), id="code 6 that names a healthy one"),
]
AMBIGUOUS = [
    pytest.param(Fault.hang(stored=True), id="hang"),
    pytest.param(Fault.cut(stored=True), id="cut"),
    pytest.param(Fault.cut(stored=True, reset=True), id="reset"),
    pytest.param(Fault.cut(stored=True, partial_answer=True), id="half an answer"),
    pytest.param(Fault.status(502, stored=True), id="502"),
    pytest.param(Fault.status(504, stored=True), id="504"),
    pytest.param(Fault.code(8, stored=True), id="500 code 8"),
    pytest.param(Fault.ok_html(stored=True), id="200 html"),
    pytest.param(Fault.ok_empty(stored=True), id="200 empty"),
]


async def test_every_hook_arrives_once_and_is_settled(tmp_path: Path) -> None:
    """The happy path, more than one batch long."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk, batch_hec_events_max=50) as here:
        ids = await here.accept(220)
        here.run()
        await here.until_settled()
        assert sorted(ids_of(splunk.indexed)) == sorted(ids)
        assert await here.delivered() == 220
        assert max(each.objects for each in splunk.requests) <= 50
        first = splunk.requests[0]
        assert first.headers["authorization"] == "Splunk acme-token"
        assert first.headers["user-agent"].startswith("sentry-splunk-relay/")
        assert first.headers["content-encoding"] == "gzip"
        assert len({each.headers["x-splunk-request-channel"] for each in splunk.requests}) == 1
        assert {each.index for each in splunk.indexed} == {"sentry"}
        assert not here.supervisor.states()


@pytest.mark.parametrize("fault", CLEAN)
async def test_a_clean_fault_delays_and_never_doubles(tmp_path: Path, fault: Fault) -> None:
    """Whatever the first post meets, each of ten hooks is indexed exactly once and none is buried."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        ids = await here.accept(10)
        splunk.script(fault)
        here.run()
        await here.until_settled()
        assert sorted(ids_of(splunk.indexed)) == ids
        assert not await here.dead()
        assert all("relay_attempt" not in each.fields for each in splunk.indexed)


@pytest.mark.parametrize("fault", AMBIGUOUS)
async def test_an_ambiguous_fault_is_resent_under_the_same_id_with_a_mark(tmp_path: Path, fault: Fault) -> None:
    """Splunk took the batch and did not say so: what comes again says that it does."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk, batch=3, hec_timeout_s=0.3) as here:
        ids = await here.accept(3)
        splunk.script(fault)
        here.run()
        await here.until_settled()
        copies = Counter(ids_of(splunk.indexed))
        assert copies == dict.fromkeys(ids, 2)
        marks = [each.fields.get("relay_attempt") for each in splunk.indexed]
        assert marks == [None] * 3 + [2] * 3


async def test_each_post_says_how_long_its_hec_events_have_waited(tmp_path: Path) -> None:
    """Whole seconds from receipt to that very post, also where it is the second one."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk, batch=2) as here:
        await here.accept(1, ago_s=7200)
        await here.accept(1)
        splunk.script(Fault.status(502, stored=True))
        begun = time.time()
        here.run()
        await here.until_settled()
        late_s = math.ceil(time.time() - begun) + 1
        waited = [int(str(each.fields["relay_waited"])) for each in splunk.indexed]
        assert len(waited) == 4
        assert 7200 <= waited[0] <= waited[2] <= 7200 + late_s
        assert 0 <= waited[1] <= waited[3] <= late_s


async def test_a_busy_splunk_gets_only_what_it_did_not_take(tmp_path: Path) -> None:
    """Code 9 with a number: the first four are settled, the other six come again."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk, batch=10) as here:
        ids = await here.accept(10)
        splunk.script(Fault.busy(after=4))
        here.run()
        await here.until_settled()
        assert sorted(ids_of(splunk.indexed)) == ids
        attempt = here.said("delivery.attempted")[0]
        assert (attempt["delivered"], attempt["released"], attempt["outcome"]) == (4, 6, "busy")


async def test_poison_in_the_middle_is_buried_and_its_neighbours_arrive_once(tmp_path: Path) -> None:
    """Two hec_events that Splunk refuses (too large for it, code 6) among forty good ones."""
    async with StandInSplunk([], event_bytes_max=4_000) as splunk, acme(tmp_path, splunk) as here:
        good = await here.accept(20)
        poison = await here.accept(1, size=9_000)
        good += await here.accept(15)
        poison += await here.accept(1, size=9_000)
        good += await here.accept(5)
        here.run()
        await here.until_settled()
        assert sorted(ids_of(splunk.indexed)) == good
        dead = await here.dead()
        assert sorted(each.delivery_id for each in dead) == poison
        assert {each.cause for each in dead} == {Cause.REJECTED}
        assert all("code 6" in each.fault for each in dead)
        assert len(here.said("delivery.buried")) == 2


async def test_a_batch_that_is_too_large_is_halved_until_it_fits(tmp_path: Path) -> None:
    """413: bisected; what is too large alone is buried as oversize, everything else arrives once."""
    async with StandInSplunk([], body_bytes_max=20_000) as splunk, acme(tmp_path, splunk, gzip_level=0) as here:
        good = await here.accept(60, size=1_000)
        huge = await here.accept(1, size=30_000)
        here.run()
        await here.until_settled()
        assert sorted(ids_of(splunk.indexed)) == good
        dead = await here.dead()
        assert [(each.delivery_id, each.cause) for each in dead] == [(huge[0], Cause.OVERSIZE)]


async def test_a_proxy_that_refuses_everything_buries_nothing(tmp_path: Path) -> None:
    """400 without a HEC code, for every body, also the empty one: a pause, until it is mended."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        ids = await here.accept(4)
        splunk.always(Fault.status(400))
        here.run()
        await until(lambda: any("not Splunk" in str(each) for each in here.supervisor.states()))
        assert not await here.dead()
        splunk.always(None)
        await here.until_settled()
        assert sorted(ids_of(splunk.indexed)) == ids


@pytest.mark.parametrize("status", [400, 413])
async def test_a_proxy_out_of_order_for_a_moment_buries_nothing(status: int, tmp_path: Path) -> None:
    """It refuses a single hec_event, lets the probe through and then everything."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        ids = await here.accept(1)
        splunk.script(Fault.status(status), Fault.none())
        here.run()
        await here.until_settled()
        assert ids_of(splunk.indexed) == ids
        assert not await here.dead()


async def test_what_a_proxy_keeps_refusing_while_splunk_is_well_is_buried(tmp_path: Path) -> None:
    """Refused, Splunk found well, refused again: the words say that it was not Splunk."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        ids = await here.accept(1)
        splunk.script(Fault.status(400), Fault.none(), Fault.status(400), Fault.none())
        here.run()
        await here.until_settled()
        (dead,) = await here.dead()
        assert (dead.delivery_id, dead.cause) == (ids[0], Cause.REJECTED)
        assert dead.fault == "refused without a HEC code (HTTP 400)"
        assert not splunk.indexed


async def test_retry_after_is_honoured(tmp_path: Path) -> None:
    """Splunk asks for a second: nothing at all is posted before it is over."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        await here.accept(3)
        splunk.script(Fault.status(503, retry_after=1))
        here.run()
        await here.until_settled()
        first, second = splunk.requests[0], splunk.requests[1]
        assert second.at - first.at >= 0.99


async def test_a_wrong_index_pauses_its_lane_only(tmp_path: Path) -> None:
    """Code 7 keeps everything for that index; the other index of the same destination goes on, then both do."""
    async with StandInSplunk([HecToken("t", indexes=("sentry",))]) as splunk:
        routes = ({"when": {"project": ["secret"]}, "index": "forbidden"},)
        async with world(tmp_path, [Part("acme", splunk.url, "t", routes=routes)]) as here:
            stuck = await here.accept(5, project="secret")
            here.run()
            await until(here.supervisor.states)
            good = await here.accept(5)
            await splunk.wait_for(5, timeout_s=60)
            assert sorted(ids_of(splunk.indexed)) == good
            assert "index forbidden" in str(here.supervisor.states()[0])
            assert not await here.dead()
            splunk.set_token(HecToken("t", indexes=("sentry", "forbidden")))
            await here.until_settled()
            assert sorted(ids_of(splunk.indexed)) == sorted(good + stuck)
            assert {line["scope"] for line in here.said("lane.paused")} == {"lane"}
            assert here.said("lane.resumed")


async def test_a_dead_hec_token_pauses_and_a_rotated_one_resumes_alone(tmp_path: Path) -> None:
    """Nothing is lost or buried while Splunk refuses the hec_token; the new secret is taken without a restart."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        splunk.remove_token("acme-token")
        ids = await here.accept(7)
        here.run()
        await until(here.supervisor.states)
        state = here.supervisor.states()[0]
        assert (state.scope, state.act) == ("hec_token", "tenant configuration")
        assert await here.waiting() == 7
        splunk.set_token(HecToken("fresh-token"))
        here.rotate("acme", "fresh-token")
        await here.until_settled()
        assert sorted(ids_of(splunk.indexed)) == ids
        assert {each.token for each in splunk.indexed} == {"fresh-token"}
        (resumed,) = here.said("lane.resumed")
        assert (resumed["scope"], resumed["after_s"] >= 0) == ("hec_token", True)
        assert "acme-token" not in repr(here.log)
        assert "fresh-token" not in repr(here.log)


class Gauges(Metrics):
    """What is paused, as a metric would know it, and what it was told."""

    def __init__(self) -> None:
        super().__init__("test")
        self.streams: set[Stream] = set()
        self.paused_now: set[str] = set()
        self.delays: list[float] = []
        self.attempts: Counter[tuple[str, str]] = Counter()
        self.resends: Counter[bool] = Counter()
        self.burials: Counter[str] = Counter()

    def paused(self, stream: Stream, *, scope: str) -> None:
        """See the observer."""
        self.streams.add(stream)
        self.paused_now.add(scope)

    def resumed(self, stream: Stream, *, scope: str) -> None:
        """See the observer."""
        self.streams.add(stream)
        self.paused_now.discard(scope)

    def delivered(self, stream: Stream, *, delays_s: Sequence[float]) -> None:
        """See the observer."""
        self.streams.add(stream)
        self.delays += delays_s

    def attempted(self, stream: Stream, *, outcome: str, hec_code: str, **_: Any) -> None:
        """See the observer."""
        self.streams.add(stream)
        self.attempts[outcome, hec_code] += 1

    def resent(self, stream: Stream, *, count: int, ambiguous: bool) -> None:
        """See the observer."""
        self.streams.add(stream)
        self.resends[ambiguous] += count

    def buried(self, stream: Stream, *, cause: str, count: int) -> None:
        """See the observer."""
        self.streams.add(stream)
        self.burials[cause] += count


async def test_the_observer_hears_everything(tmp_path: Path) -> None:
    """Attempts, resends clean and ambiguous, burials, delays; and nothing stays paused that is not."""
    gauges = Gauges()
    async with StandInSplunk([], event_bytes_max=4_000) as splunk, acme(tmp_path, splunk, batch=4) as here:
        splunk.script(Fault.busy(), Fault.none(), Fault.status(404), Fault.none(), Fault.status(502))
        began = time.time()
        await here.accept(3)
        await here.accept(1, size=9_000)
        here.run(observer=gauges)
        await here.until_settled()
        assert gauges.paused_now == set()
        assert len(gauges.delays) == 3
        assert all(0 <= each <= time.time() - began for each in gauges.delays)
        assert gauges.burials == {"rejected": 1}
        assert gauges.attempts["busy", "9"] == 1
        assert gauges.attempts["unavailable", "none"] == 1
        assert gauges.attempts["unknown", "none"] == 1
        assert gauges.attempts["refused", "6"] >= 1
        assert gauges.resends[False] >= 5
        assert gauges.resends[True] >= 1
        assert gauges.streams == {Stream("acme", "main")}


async def test_a_pause_that_a_rotation_ends_is_over_for_the_observer(tmp_path: Path) -> None:
    """A gauge that stays at 1 for ever would call somebody every night."""
    gauges = Gauges()
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        splunk.remove_token("acme-token")
        await here.accept(1)
        here.run(observer=gauges)
        await until(lambda: gauges.paused_now == {"hec_token"})
        splunk.always(Fault.status(503))
        await until(lambda: gauges.paused_now == {"destination"})
        splunk.always(None)
        await until(lambda: gauges.paused_now == {"hec_token"})
        splunk.set_token(HecToken("fresh-token"))
        here.rotate("acme", "fresh-token")
        await here.until_settled()
        assert gauges.paused_now == set()


async def test_a_hec_token_that_comes_back_resumes_alone(tmp_path: Path) -> None:
    """Probes are empty posts; once one draws "no data" the hooks go out."""
    async with StandInSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        splunk.set_token(HecToken("acme-token", disabled=True))
        ids = await here.accept(3)
        here.run()
        await until(lambda: splunk.request_count >= 3)
        assert splunk.requests[0].wire_bytes > 0
        assert [each.wire_bytes for each in splunk.requests[1:]] == [0] * (splunk.request_count - 1)
        splunk.set_token(HecToken("acme-token"))
        await here.until_settled()
        assert sorted(ids_of(splunk.indexed)) == ids
        assert not here.supervisor.states()


async def test_a_splunk_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """No connection: the hooks wait, and go when Splunk is back."""
    async with StayingSplunk([]) as splunk, acme(tmp_path, splunk) as here:
        ids = await here.accept(5)
        await splunk.stop()
        here.run()
        await until(here.supervisor.states)
        assert "Connection refused" in str(here.supervisor.states()[0]) or "no connection" in str(
            here.supervisor.states()[0]
        )
        await splunk.start()
        await here.until_settled()
        assert sorted(ids_of(splunk.indexed)) == ids
