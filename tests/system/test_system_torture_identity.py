"""What the torture makes of answers and copies: a hook taken for another is lost, a resend doubled needs a reason."""

from collections.abc import Sequence

from app.sandbox.splunk import RequestSeen
from tests.torture.doubles import Copy, Evidence
from tests.torture.relay import Lifetime
from tests.torture.resends import CUT, ENDED, TOGETHER, folded, resends_doubled, unmarked_bytes
from tests.torture.traffic import Hook, Post
from tests.torture.world import Stream, World

SEED = 1


def hook_of(*posts: Post, keyed: bool = False, sender: str = "integration", seed: int = SEED) -> Hook:
    """A hook that had these tries."""
    door = next(each for each in World(SEED).doors if any(sample.sender == sender for sample in each.samples))
    sample = next(each for each in door.samples if each.sender == sender)
    accepted = {post.delivery_id: post.ended_at for post in posts if post.delivery_id}
    return Hook(
        door=door,
        sample=sample,
        seed=seed,
        at=0.0,
        published=True,
        body=str(seed).encode(),
        keyed=keyed,
        posts=list(posts),
        accepted=accepted,
    )


def post(at: float, delivery_id: str | None, *, seconds: float = 0.1) -> Post:
    """A try that was answered with that id, in time; or had no answer."""
    return Post(
        url="here", began_at=at, ended_at=at + seconds, delivery_id=delivery_id, in_time=delivery_id is not None
    )


def copy_of(delivery_id: str, same_body_as: str = "") -> Copy:
    """It was indexed."""
    request = RequestSeen.__new__(RequestSeen)
    return Copy(Stream("acme", "main"), delivery_id, "acme", marked=False, request=request, same_body_as=same_body_as)


def reasons(hook: Hook, copies: Sequence[Copy], **evidence: Sequence[tuple[float, float]]) -> list[str]:
    """Of each hook that a resend doubled."""
    found = Evidence(lives=(), cuts={}, patience_s=1.0, sentry_cuts=evidence.get("sentry_cuts", ()))
    return [word for _, word in resends_doubled([hook], copies, found)]


def test_two_hooks_with_one_id_are_a_hook_lost() -> None:
    """Two keys are two hooks: the second would never have been delivered."""
    hooks = [hook_of(post(0, "a"), keyed=True, seed=seed) for seed in (1, 2)]
    assert [each.at for each in folded(hooks)] == [0.1]


def test_a_post_after_an_answer_that_is_told_the_same_id_is_a_hook_lost() -> None:
    """Without a key, and answered in time, it had to be one of its own."""
    assert list(folded([hook_of(post(0, "a"), post(1, "a"))]))
    assert not list(folded([hook_of(post(0, "a"), post(1, "a"), keyed=True)]))


def test_a_resend_after_no_answer_may_be_told_the_id_once() -> None:
    """It is the hook that had no answer; the one after it is not."""
    assert not list(folded([hook_of(post(0, None), post(2, "a"), post(4, "b"))]))
    assert list(folded([hook_of(post(0, None), post(2, "a"), post(4, "a"))]))


def test_what_never_comes_again_is_never_taken_for_a_resend() -> None:
    """Not even where the first answer was late: the plugin ignores every fault."""
    late = Post(url="here", began_at=0, ended_at=6, delivery_id="a", in_time=False)
    assert list(folded([hook_of(late, post(8, "a"), sender="legacy")]))
    assert not list(folded([hook_of(late, post(8, "a"), sender="service_hook")]))


def test_the_same_bytes_have_to_name_the_first() -> None:
    """Each hook but the first is marked, with the id of the first."""
    hook = hook_of(post(0, "a"), post(1, "b"), post(2, "c"))
    marked = [copy_of("a"), copy_of("b", "a"), copy_of("c", "a")]
    assert not unmarked_bytes([hook], marked)
    assert unmarked_bytes([hook], [*marked[:2], copy_of("c")])
    assert unmarked_bytes([hook], [*marked[:2], copy_of("c", "b")])


def test_a_resend_that_was_doubled_needs_a_reason() -> None:
    """The first was stored without an answer, the second is another hook: the relay could have known."""
    hook, copies = hook_of(post(0, None, seconds=1.0), post(2, "b")), [copy_of("a"), copy_of("b", "a")]
    assert reasons(hook, copies) == [""]
    assert reasons(hook, copies, sentry_cuts=[(0.5, 1.5)]) == [CUT]
    assert reasons(hook, copies, sentry_cuts=[(7.0, 8.0)]) == [""]
    ended = Evidence(lives=[Lifetime(0, -5.0, ended_at=0.5)], cuts={}, patience_s=1.0)
    assert [word for _, word in resends_doubled([hook], copies, ended)] == [ENDED]
    together = hook_of(post(0, None, seconds=1.0), post(0.5, "b"))
    assert reasons(together, copies) == [TOGETHER]


def test_what_happened_again_is_not_a_resend() -> None:
    """Each post that had its answer in time is a hook of its own, and so is the one after it."""
    hook = hook_of(post(0, "a"), post(2, "b"))
    assert reasons(hook, [copy_of("a"), copy_of("b", "a")]) == []
    assert reasons(hook_of(post(0, None), post(2, "a")), [copy_of("a")]) == []
