from darkroom.simulators.replicate.limits import Bucket, Limit, headers, take, throttled

CREATES = Limit(600, 600)
LOW = Limit(6, 1)


def test_the_first_call_of_many_has_the_recorded_headers() -> None:
    leave, _ = take(CREATES, None, 0)

    assert headers(leave) == {"ratelimit-remaining": "599", "ratelimit-reset": "1"}


def test_a_bucket_fills_with_time() -> None:
    _, bucket = take(LOW, None, 0)
    refused, _ = take(LOW, bucket, 9.9)
    granted, _ = take(LOW, bucket, 10)

    assert (refused.granted, granted.granted) == (False, True)


def test_who_asks_faster_than_it_fills_never_gets_through() -> None:
    bucket: Bucket | None = None
    granted = 0
    for second in range(120):
        leave, bucket = take(LOW, bucket, second)
        granted += leave.granted

    assert granted == 1


def test_who_waits_as_told_gets_through() -> None:
    _, bucket = take(LOW, None, 0)
    refused, bucket = take(LOW, bucket, 1)
    granted, _ = take(LOW, bucket, 1 + refused.wait)

    assert granted.granted


def test_the_body_for_low_credit_says_how_long_twice() -> None:
    body = throttled(5, "low_credit")

    assert body["retry_after"] == 5
    assert str(body["detail"]).endswith("Your rate limit resets in ~5s.")
