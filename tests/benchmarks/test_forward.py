"""The benchmark of forwards runs and tells what it promises. Figures are not judged here."""

from benchmarks.cli import measured
from benchmarks.options import Options


def test_it_tells_what_each_side_spends():
    result = measured("forward", Options(quick=True, values={}))
    assert result["settlements"] > 20
    assert min(result["derive_s"], result["promise_s"], result["check_s"], result["open_ms"]) > 0
    assert result["document_bytes"] == 162 * result["settlements"]
