"""A stand-in Splunk and a relay, shared by all system tests of one run."""

from collections.abc import Iterator

import pytest

from tests.system.running import Relay, Splunk


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Splunk, Relay]]:
    """Both, in one folder; begun by whoever asks for them first."""
    folder = tmp_path_factory.mktemp("system")
    splunk = Splunk(folder)
    relay = Relay(folder, splunk)
    try:
        yield splunk, relay
    finally:
        relay.remove()
        splunk.remove()


@pytest.fixture
def splunk(servers: tuple[Splunk, Relay]) -> Splunk:
    """A stand-in Splunk that runs, with whatever earlier tests left in its index."""
    servers[0].ensure()
    return servers[0]


@pytest.fixture
def relay(splunk: Splunk, servers: tuple[Splunk, Relay]) -> Relay:
    """A relay that runs, with one tenant, ``acme``, whose Splunk is that one."""
    del splunk
    servers[1].ensure()
    return servers[1]
