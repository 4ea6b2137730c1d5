from agent.signer.sessions.row_quota import BYTES_PER_S, RATION_BYTES, ROW_BYTES, LeftOut, RowQuota


class Watch:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def used_up(quota: RowQuota, subject: str) -> int:
    count = 0
    while quota.has_room(subject, ROW_BYTES):
        count += 1
    return count


def test_a_ration_is_used_up_and_grows_again():
    watch = Watch()
    quota = RowQuota(watch)
    assert used_up(quota, "a") == RATION_BYTES // (2 * ROW_BYTES)
    watch.now_s += 2 * ROW_BYTES / BYTES_PER_S
    assert used_up(quota, "a") == 1
    watch.now_s += 1e9
    assert used_up(quota, "a") == RATION_BYTES // (2 * ROW_BYTES), "never more than one ration"


def test_one_contract_does_not_use_up_the_ration_of_another():
    quota = RowQuota(Watch())
    used_up(quota, "a")
    assert quota.has_room("b", ROW_BYTES)


def test_what_is_left_out_is_told_once_by_rule():
    quota = RowQuota(Watch())
    for rule in ("limit.tx", "limit.tx", "psbt.malformed"):
        quota.leave_out("a", rule)
    assert quota.owing == ("a",)
    assert quota.take_left_out("a") == LeftOut({"limit.tx": 2, "psbt.malformed": 1})
    assert (quota.owing, quota.take_left_out("a")) == ((), None)
