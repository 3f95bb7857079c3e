"""What it costs to make a hec_event of a hook, beside reading and writing the same JSON once."""

import gc
import statistics
import time
from collections.abc import Callable, Sequence

import orjson

from app.model import Hook
from app.sandbox.sentry import large_error, sample
from app.splunk.encode import encode
from app.tenants.model import Destination
from app.transform import transform
from tests.goldens import only

AIM = 3.0
"""Times ``orjson.loads`` and ``orjson.dumps`` of the payload, at the sizes of ``AIMED``."""
AIMED = (10_000, 150_000)
SIZES = (10_000, 50_000, 150_000, 500_000)
OTHERS = ("issue.created", "comment.created", "metric_alert.critical")
TURN_S = 0.02
"""How long one of the things compared runs before it is another's turn: what the one before it has left in the
processor's caches is soon gone then.
"""
HOOKS = 8
"""Different hooks of each kind, one after the other, so that nothing gains from having seen the very same one."""
_DESTINATION = Destination(
    tenant="acme", name="main", url="https://splunk.example", hec_token=None, hec_token_ref="env:T", index="sentry"
)


def measure(rounds: int = 5) -> list[str]:
    """The table and the verdict. Each ratio is the median of the ratios of turns taken right after each other."""
    lines = [f"{'transform':24}{'bytes':>9}{'loads+dumps us':>16}{'transform us':>14}{'times':>7}{'with envelope':>15}"]
    words = []
    kinds = [(f"error.created {size // 1000} kB", large_error(size)) for size in SIZES]
    kinds += [(name, sample(name)) for name in OTHERS]
    for name, each in kinds:
        # A second lies between one and the next, as in a stream of hooks.
        hooks = [_hook(each.resource, each.body(seed, now=1e9 + seed)) for seed in range(HOOKS)]
        size = len(hooks[0].payload)
        floor, mine, whole, times, times_whole = _compared(hooks, rounds)
        lines.append(f"{name:24}{size:>9}{floor:>16.1f}{mine:>14.1f}{times:>7.2f}{whole:>8.1f} ({times_whole:.2f})")
        if size in AIMED:
            reached = "reached" if times <= AIM else "MISSED"
            words.append(f"{size // 1000} kB error: {times:.2f} times loads and dumps, aim {AIM:g}: {reached}")
    return [*lines, "", *words]


def _compared(hooks: Sequence[Hook], rounds: int) -> tuple[float, float, float, float, float]:
    """Microseconds of the floor, of transforming, and of that with its envelope; both as times of the floor."""

    def floor(hook: Hook) -> None:
        orjson.dumps(orjson.loads(hook.payload))

    def mine(hook: Hook) -> None:
        transform(hook, _DESTINATION)

    def whole(hook: Hook) -> None:
        encode(only(transform(hook, _DESTINATION)), delivery_id=hook.delivery_id)

    gc.collect()
    gc.freeze()  # as the relay does when it has started
    turns = [(_turn(floor, hooks), _turn(mine, hooks), _turn(whole, hooks)) for _ in range(rounds * 8)]
    ratios = statistics.median(mine / floor for floor, mine, _ in turns)
    whole_ratios = statistics.median(whole / floor for floor, _, whole in turns)
    return (*(min(each) for each in zip(*turns, strict=True)), ratios, whole_ratios)


def _turn(work: Callable[[Hook], None], hooks: Sequence[Hook]) -> float:
    """Microseconds of one hook, over a turn."""
    count = 0
    begun = now = time.perf_counter()
    while now - begun < TURN_S:
        for hook in hooks:
            work(hook)
        count += len(hooks)
        now = time.perf_counter()
    return (now - begun) / count * 1e6


def _hook(resource: str, body: bytes) -> Hook:
    return Hook(
        delivery_id="ab" * 16,
        tenant="acme",
        resource=resource,
        sent_at="1000000000",
        received_at=1_000_000_001.5,
        payload=body,
    )
