"""How long drafts are."""

from tenfold.reactions.pace import Pace, Plan


def test_drafts_grow_while_they_are_accepted_and_shrink_after_a_rejection() -> None:
    pace = Pace(4, 2, 10)
    lengths = []
    for accepted, drafted in ((4, 4), (8, 8), (3, 10), (0, 5), (9, 10)):
        pace.saw(accepted, drafted)
        lengths.append(pace.length)
    assert lengths == [8, 10, 5, 2, 10]


def test_what_the_caller_chose_is_kept() -> None:
    for device in ("cpu", "cuda"):
        plan = Plan.of(device, width=3, most=4)
        assert (plan.width, plan.most) == (3, 4)
        assert max(plan.start, plan.least, plan.crowded) <= 4


def test_a_gpu_verifies_more_than_a_processor_and_a_batch_less_than_a_query_alone() -> None:
    gpu, processor = Plan.of("cuda"), Plan.of("cpu")
    assert gpu.width * gpu.pace().among(32) > processor.width * processor.pace().among(1)
    assert processor.pace().among(1) > processor.pace().among(32)
