"""Which services run, and what they are told."""

from darkroom.local.services import callbacks, connections, full_name, instances, media_hosts, service_part

PORTS = {"kafka": 1, "postgres": 2, "s3": 3}
PASSWORDS = {"gateway": "a", "generator": "b", "uploader": "c", "ledger": "d", "s3": "e"}


def test_one_of_each_unless_more_or_none_is_asked_for() -> None:
    assert instances({"generator": 2, "uploader": 0}) == {
        "gateway": "gateway",
        "generator-1": "generator",
        "generator-2": "generator",
        "ledger-1": "ledger",
    }


def test_a_service_is_short_for_its_first_replica() -> None:
    assert [full_name(name) for name in ("gateway", "generator", "generator-2", "kafka")] == [
        "gateway",
        "generator-1",
        "generator-2",
        "kafka",
    ]


def test_a_replica_is_told_who_it_is_and_where_and_all_the_others_are_told() -> None:
    part = service_part("generator-2", "generator", 8200, {"LOG_LEVEL": "INFO", "GENERATOR_PORT": "1"})

    assert part.argv[1:] == ("-m", "generator_service")
    assert part.env == {
        "LOG_LEVEL": "INFO",
        "SERVICE_INSTANCE": "generator-2",
        "GENERATOR_HOST": "127.0.0.1",
        "GENERATOR_PORT": "8200",
        "GENERATOR_PUBLIC_URL": "http://127.0.0.1:8200",
    }


def test_each_service_connects_as_itself() -> None:
    told = connections(PORTS, PASSWORDS)

    assert told["LEDGER_DATABASE_URL"] == "postgresql://ledger:d@127.0.0.1:2/darkroom"
    assert told["GATEWAY_DATABASE_URL"] == "postgresql://gateway:a@127.0.0.1:2/darkroom"
    assert told["KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:1"
    assert told["S3_ENDPOINT_URL"] == told["S3_PUBLIC_ENDPOINT_URL"] == "http://127.0.0.1:3"


def test_uploaders_may_fetch_from_the_generators_and_from_what_was_allowed_before() -> None:
    told = media_hosts({"generator-1": 7, "gateway": 8, "generator-2": 9}, {"UPLOADER_ALLOWED_PRIVATE": "nas:80"})

    assert told == {"UPLOADER_ALLOWED_PRIVATE": "nas:80,127.0.0.1:7,127.0.0.1:9"}


def test_providers_on_this_machine_call_the_gateway_back() -> None:
    simulated = {"REPLICATE_API_TOKEN": "r8_x", "REPLICATE_BASE_URL": "http://127.0.0.1:4010"}

    for environ in ({}, simulated):
        assert callbacks({"gateway": 8}, "a key", environ) == {
            "CALLBACK_BASE_URL": "http://127.0.0.1:8",
            "CALLBACK_KEYS": "local=a key",
        }


def test_the_real_replicate_is_given_no_address_that_it_would_refuse() -> None:
    assert callbacks({"gateway": 8}, "a key", {"REPLICATE_API_TOKEN": "r8_x"})["CALLBACK_BASE_URL"] == ""


def test_callback_settings_that_were_given_stand() -> None:
    given = {"CALLBACK_BASE_URL": "https://hooks.example.com", "CALLBACK_KEYS": "k2=c,k1=d", "REPLICATE_API_TOKEN": "x"}

    assert callbacks({"gateway": 8}, "a key", given) == {n: v for n, v in given.items() if n != "REPLICATE_API_TOKEN"}
