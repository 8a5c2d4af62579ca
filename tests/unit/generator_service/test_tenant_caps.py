"""What is said about how many calls of a tenant may run."""

import pytest

from generator_service.settings import Settings
from generator_service.tenant_caps import Caps, caps_of
from stage.settings import load


@pytest.mark.parametrize(
    ("said", "caps"),
    [
        ("", Caps()),
        ("*=5", Caps({}, 5)),
        ("acme=20, big = 100,*=5", Caps({"acme": 20, "big": 100}, 5)),
        ("acme=20", Caps({"acme": 20})),
    ],
)
def test_caps_are_read_from_pairs(said: str, caps: Caps) -> None:
    assert caps_of(said) == caps
    assert bool(caps) == bool(said)


@pytest.mark.parametrize("said", ["acme", "acme=", "acme=many", "acme=0", "*=-1"])
def test_a_cap_that_cannot_be_meant_stops_the_generator(
    said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
        "GENERATOR_DATABASE_URL": "postgresql://db/darkroom",
        "GENERATOR_TENANT_IN_FLIGHT": said,
    }.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit) as ended:
        load(Settings, "generator")

    assert ended.value.code == 2
    assert "GENERATOR_TENANT_IN_FLIGHT" in capsys.readouterr().err
