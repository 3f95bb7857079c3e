"""Arbitrary fault scripts for the stand-in Splunk, by what a sender can know after them.

``clean``      the answer says truly what was taken: no sender may double anything.
``ambiguous``  nobody can know what was taken: a sender may double, and has to mark the copies.
``lying``      something refuses what is healthy: alone it cannot be told from what is bad.
"""

from hypothesis import strategies as st

from app.sandbox.splunk import Fault

_RETRY_AFTER = st.sampled_from([None, 0, "Thu, 01 Jan 1970 00:00:00 GMT", "soon"])
_REFUSALS = (1, 2, 3, 4, 10, 11, 14, 16, 18, 19, 20, 21, 22, 23, 26, 27, 28)

_CLEAN = st.one_of(
    st.builds(Fault.none),
    st.builds(Fault.busy, after=st.sampled_from([None, 0]), retry_after=_RETRY_AFTER),
    st.builds(
        Fault.status, st.sampled_from([404, 405, 408, 415, 425, 429, 503]), html=st.booleans(), retry_after=_RETRY_AFTER
    ),
    st.builds(Fault.code, st.sampled_from(_REFUSALS), retry_after=_RETRY_AFTER),
    st.builds(Fault.accept_then, st.sampled_from([24, 25])),
    st.builds(Fault.shutting_down),
    st.builds(Fault.slow, st.just(0.01)),
    st.builds(Fault.redirect, st.just("http://127.0.0.1:9/"), st.sampled_from([301, 302, 307, 308])),
)
_UNKNOWN = st.one_of(
    # Of a batch that is no longer than this the stand-in says that none is left: a number that cannot be.
    st.builds(Fault.busy, after=st.integers(1, 12)),
    st.builds(Fault.status, st.sampled_from([500, 502, 504, 599]), html=st.booleans(), stored=st.booleans()),
    st.builds(Fault.code, st.just(8), stored=st.booleans()),
    st.builds(Fault.cut, stored=st.booleans(), partial_answer=st.booleans(), reset=st.booleans()),
    st.builds(Fault.hang, stored=st.booleans(), s=st.just(0.01)),
    st.builds(Fault.stall, s=st.just(0.01)),
    st.builds(Fault.ok_html, stored=st.booleans()),
    st.builds(Fault.ok_empty, stored=st.booleans()),
)
_LIES = st.one_of(
    st.builds(Fault.status, st.sampled_from([400, 413])),
    st.builds(Fault.code, st.just(5)),
    # No number that is only wrong: one beyond the true culprit would say that poison was taken.
    st.builds(Fault.code, st.sampled_from([6, 12, 13, 15]), number=st.sampled_from([None, -1, 0, 1_000])),
)
FAULTS = {
    "clean": _CLEAN,
    "ambiguous": st.one_of(_CLEAN, _UNKNOWN),
    "lying": st.one_of(_CLEAN, _UNKNOWN, _LIES),
}


def lies(fault: Fault | None) -> bool:
    """Whether a healthy hec_event that is alone under this fault cannot be told from a bad one."""
    if fault is None or fault.stored:
        return False
    return fault.http_status in {400, 413} or fault.hec_code in {5, 6, 12, 13, 15}
