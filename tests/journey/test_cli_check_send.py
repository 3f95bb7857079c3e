"""The test hec_event of ``relay check``: to each index, marked, found by the search that is printed; and its ack."""

from pathlib import Path

import pytest

from app.sandbox.splunk import Fault, HecToken, StandInSplunk
from tests.journey.check_world import HEC_TOKEN, ran, splunk, steps_of, tenants_file


async def test_one_marked_hec_event_goes_to_each_index(tmp_path: Path) -> None:
    """Of the destination and of its routes, once each; and the search that is printed finds it."""
    whens = ("level: [fatal]}, index: sentry_prod", "level: [error]}, index: sentry", "level: [debug]}, drop: true")
    routes = ", ".join(f"{{when: {{{each}}}" for each in whens)
    async with StandInSplunk([HecToken(HEC_TOKEN)]) as stand_in:
        keys = f"url: '{stand_in.url}', hec_token: env:HEC, index: sentry, routes: [{routes}]"
        path = tenants_file(tmp_path, acme=keys)
        status, output = await ran(path, "--json")
        indexed = stand_in.indexed
    assert status == 0
    assert [each.index for each in indexed] == ["sentry", "sentry_prod"]
    assert {each.sourcetype for each in indexed} == {"sentry:relay"}
    searches = [step["search"] for step in steps_of(output, "hec_event")]
    assert searches == [
        f"index={each.index} relay_delivery_id::{each.fields['relay_delivery_id']} earliest=-1h latest=+1h"
        for each in indexed
    ]
    assert len(set(searches)) == 2


async def test_the_default_index_of_the_hec_token_is_tried_where_none_is_named(tmp_path: Path) -> None:
    """And searched for everywhere."""
    async with splunk() as stand_in:
        path = tenants_file(tmp_path, acme=f"url: '{stand_in.url}', hec_token: env:HEC")
        status, output = await ran(path)
        (landed,) = stand_in.indexed
    assert status == 0
    assert landed.index == "main"
    assert "ok       acme/main hec_event: the hec_token's default index: Splunk took the test hec_event" in output
    assert f"\n         index=* relay_delivery_id::{landed.fields['relay_delivery_id']} " in output


async def test_an_index_that_is_not_allowed_and_one_that_does_not_exist(tmp_path: Path) -> None:
    """The first is refused; the second is swallowed, which only the search can show, and that is said."""
    async with StandInSplunk(
        [HecToken(HEC_TOKEN, indexes=("sentry", "typo"))], existing_indexes=["sentry"]
    ) as stand_in:
        keys = f"url: '{stand_in.url}', hec_token: env:HEC, index"
        refused = await ran(tenants_file(tmp_path, acme=f"{keys}: elsewhere"))
        swallowed = await ran(tenants_file(tmp_path, acme=f"{keys}: typo"))
        assert not stand_in.indexed
    assert refused.status == 1
    assert "failed   acme/main hec_event: elsewhere: the hec_token may not write to this index" in refused.output
    assert swallowed.status == 0
    assert "Splunk swallows what goes to an index that is allowed and does not exist" in swallowed.output


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.busy(), "sentry: not taken: Splunk is busy"),
        (Fault.cut(stored=True), "sentry: nobody knows whether Splunk took the test hec_event"),
        (Fault.code(6, number=0), "sentry: not taken: invalid data format"),
    ],
)
async def test_a_test_hec_event_that_is_not_taken(tmp_path: Path, fault: Fault, words: str) -> None:
    """What happened is said; where nobody can know, the search is printed all the same."""
    async with splunk() as stand_in:
        stand_in.script(Fault.none(), fault)
        path = tenants_file(tmp_path, acme=f"url: '{stand_in.url}', hec_token: env:HEC, index: sentry")
        status, output = await ran(path)
    assert status == 1
    assert f"failed   acme/main hec_event: {words}" in output
    assert ("relay_delivery_id::" in output) == fault.stored


async def test_nothing_is_sent_under_a_hec_token_that_is_refused(tmp_path: Path) -> None:
    """The steps end there."""
    async with splunk() as stand_in:
        path = tenants_file(tmp_path, acme=f"url: '{stand_in.url}', hec_token: env:WRONG, index: sentry")
        _, output = await ran(path, "--json")
    assert not steps_of(output, "hec_event")


async def test_where_acks_are_asked_for_the_check_waits_for_them(tmp_path: Path) -> None:
    """Confirmed; never confirmed; and a hec_token that does not acknowledge."""
    async with StandInSplunk([HecToken(HEC_TOKEN, use_ack=True)], ack_delay_s=0.1) as stand_in:
        path = tenants_file(tmp_path, acme=f"url: '{stand_in.url}', hec_token: env:HEC, index: sentry, ack: true")
        confirmed = await ran(path)
        stand_in.ack_delay_s = float("inf")
        waited_for = await ran(path, "--ack-wait-s", "0.1")
        stand_in.set_token(HecToken(HEC_TOKEN))
        without = await ran(path)
    assert confirmed.status == 0
    assert "ok       acme/main ack: sentry: Splunk says after " in confirmed.output
    assert waited_for.status == 1
    assert "failed   acme/main ack: sentry: not confirmed within 0.1 s" in waited_for.output
    assert without.status == 1
    assert "failed   acme/main ack: sentry: Splunk gave no ack id" in without.output
