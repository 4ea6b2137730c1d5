"""What the metrics say of the treasury: its node, its payments and its boxes."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from controller.signing.model import ProposalStatus
from controller.treasury.service import Treasury

_NODE = {
    "calls": "Requests to the Bitcoin node, repetitions included",
    "retries": "Requests that were repeated",
    "failures": "Requests without a whole answer",
}


def families(treasury: Treasury, now_ms: int) -> Iterator[Metric]:
    """A box that has not spoken since the start has no line."""
    for name, meaning in _NODE.items():
        yield CounterMetricFamily(f"bes_bitcoind_{name}", meaning, treasury.rpc.counters[name])
    paused = "Whether the Bitcoin node is left alone for a while because it did not answer"
    yield GaugeMetricFamily("bes_bitcoind_paused", paused, int(treasury.rpc.paused))
    refused = "Packets of signing boxes that could not be understood or were not believed"
    yield CounterMetricFamily("bes_box_packets_refused", refused, treasury.post.refused)
    waiting = "Answers of signing boxes that could not be written down yet"
    yield GaugeMetricFamily("bes_box_answers_waiting", waiting, len(treasury.post.belated))
    given_up = "Answers of signing boxes that waited too long or were too many"
    yield CounterMetricFamily("bes_box_answers_given_up", given_up, treasury.post.belated.given_up)
    yield _payments(treasury)
    yield _boxes(treasury, now_ms)


def _payments(treasury: Treasury) -> Metric:
    payments = GaugeMetricFamily("bes_payments", "Payments by where they stand", labels=["status"])
    counted = Counter(progress.status for progress in treasury.board)
    for status in ProposalStatus:
        payments.add_metric([status.value], counted[status])
    return payments


def _boxes(treasury: Treasury, now_ms: int) -> Metric:
    ages = GaugeMetricFamily(
        "bes_box_silent_seconds", "How long ago a signing box reported", labels=["box", "site", "node"]
    )
    for box in treasury.boxes.listed():
        if box.heard_at_ms is not None:
            where = box.address
            ages.add_metric([where.box_id, where.site, where.node], max(0, now_ms - box.heard_at_ms) / 1_000)
    return ages
