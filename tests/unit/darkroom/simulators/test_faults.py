from darkroom.simulators.faults import FaultPlan, Subject
from darkroom.simulators.replicate.faults import Fail, Stuck, WebhookLost
from darkroom.simulators.replicate.faults.courses import CourseFault
from darkroom.simulators.replicate.faults.webhooks import WebhookFault

CREATE = Subject("create", "a/b", {"prompt": "x", "seed": 1})


def struck(plan: FaultPlan, count: int, subject: Subject = CREATE) -> list[bool]:
    return [bool(plan.strike(subject, CourseFault)) for _ in range(count)]


def test_without_conditions_it_strikes_always() -> None:
    assert struck(FaultPlan([Stuck()]), 3) == [True, True, True]


def test_by_number() -> None:
    assert struck(FaultPlan([Stuck(nth=(2, 4))]), 5) == [False, True, False, True, False]


def test_so_many_times() -> None:
    assert struck(FaultPlan([Stuck(times=2)]), 4) == [True, True, False, False]


def test_by_chance_and_the_same_for_the_same_seed() -> None:
    first, again, other = (struck(FaultPlan([Stuck(chance=0.3)], seed), 200) for seed in (1, 1, 2))

    assert first == again != other
    assert 30 < sum(first) < 90


def test_by_model_and_input_counting_only_those() -> None:
    plan = FaultPlan([Stuck(model="a/b", input={"seed": 1}, nth=(2,))])
    others = struck(plan, 3, Subject("create", "a/b", {"seed": 2})) + struck(plan, 3, Subject("create", "c/d"))

    assert others == [False] * 6
    assert struck(plan, 2) == [False, True]


def test_by_event() -> None:
    plan = FaultPlan([WebhookLost(event="start")])

    seen = [bool(plan.strike(Subject("webhook", event=event), WebhookFault)) for event in ("start", "completed")]

    assert seen == [True, False]


def test_several_strike_together_in_the_order_given() -> None:
    plan = FaultPlan([Fail(error="x"), WebhookLost(), Stuck()])

    assert [fault.fault for fault in plan.strike(CREATE, CourseFault)] == ["fail", "stuck"]


def test_new_faults_count_anew() -> None:
    plan = FaultPlan([Stuck(times=1)])
    struck(plan, 2)
    plan.restart()

    assert plan.report() == [{"fault": "stuck", "times": 1, "seen": 0, "struck": 0}]
    assert struck(plan, 2) == [True, False]
