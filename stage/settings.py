"""What a service must be told. Read once, in `main()`, and passed down."""

import ssl
import sys
from datetime import timedelta
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.callbacks import live_keys
from stage.spans import span_in

S = TypeVar("S", bound=BaseSettings)


class KafkaSettings(BaseSettings):
    """How Kafka is reached: bare on a laptop, with TLS and a password at a managed one."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    kafka_bootstrap_servers: str = Field(validation_alias="KAFKA_BOOTSTRAP_SERVERS", min_length=1)
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", validation_alias="KAFKA_SECURITY_PROTOCOL"
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", validation_alias="KAFKA_SASL_MECHANISM"
    )
    kafka_sasl_username: str = Field("", validation_alias="KAFKA_SASL_USERNAME")
    kafka_sasl_password: SecretStr = Field(SecretStr(""), validation_alias="KAFKA_SASL_PASSWORD")
    kafka_ssl_cafile: str = Field("", validation_alias="KAFKA_SSL_CAFILE")  # empty: what the system trusts

    def kafka_client_options(self) -> dict[str, Any]:
        """What any aiokafka client must be given to get in."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.kafka_bootstrap_servers,
            "security_protocol": self.kafka_security_protocol,
        }
        if self.kafka_security_protocol.endswith("SSL"):
            options["ssl_context"] = ssl.create_default_context(cafile=self.kafka_ssl_cafile or None)
        if self.kafka_security_protocol.startswith("SASL"):
            options["sasl_mechanism"] = self.kafka_sasl_mechanism
            options["sasl_plain_username"] = self.kafka_sasl_username
            options["sasl_plain_password"] = self.kafka_sasl_password.get_secret_value()
        return options


class ServiceSettings(KafkaSettings):
    """What every service must be told. A service adds its own under its prefix."""

    service_instance: str = Field("", validation_alias="SERVICE_INSTANCE")  # a replica's stable name
    log_level: str = Field("INFO", validation_alias="LOG_LEVEL", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    log_format: str = Field("json", validation_alias="LOG_FORMAT", pattern="^(json|console)$")
    host: str = "127.0.0.1"


def _postgresql(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("must begin with postgresql://")
    return url


def _keys(setting: SecretStr) -> SecretStr:
    live_keys(setting.get_secret_value())
    return setting


CallbackKeys = Annotated[SecretStr, AfterValidator(_keys)]
"""KID=SECRET pairs that prove callbacks' paths; the first signs, all are believed."""

DatabaseUrl = Annotated[SecretStr, AfterValidator(_postgresql)]
"""Where a service's own schema is. What is no such URL would look like a database that does not answer yet."""


def _span(told: Any) -> Any:
    return (span_in(told) or told) if isinstance(told, str) else told


Span = Annotated[timedelta, BeforeValidator(_span)]
"""90s, 30m, 24h or 7d, or what ISO 8601 says."""


class StageSettings(ServiceSettings):
    """What a service with work rows must be told beside that."""

    initial_retry_delay: float = Field(5, validation_alias="INITIAL_RETRY_DELAY", gt=0)  # seconds, as the original
    max_retry_delay: float = Field(3600, validation_alias="MAX_RETRY_DELAY", gt=0)


def load(settings: type[S], service: str) -> S:
    """The settings from the environment. A missing or wrong one ends the process: a line for each, exit code 2."""
    try:
        return settings()
    except ValidationError as wrong:
        for error in wrong.errors(include_input=False, include_url=False):
            print(f"{service}: {_name(settings, error['loc'])}: {_words(error)}", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None


def refuse(service: str, setting: str, why: str) -> NoReturn:
    """End the process because of a setting that reads well but cannot be meant: one line, exit code 2."""
    print(f"{service}: {setting}: {why}", file=sys.stderr)  # noqa: T201
    raise SystemExit(2)


def _name(settings: type[BaseSettings], loc: tuple[int | str, ...]) -> str:
    """The variable that an error speaks of: the alias as it stands, or the field behind the service's prefix."""
    field = str(loc[0]) if loc else "settings"
    return f"{settings.model_config.get('env_prefix', '')}{field}".upper() if field in settings.model_fields else field


def _words(error: object) -> str:
    kind, message = error["type"], error["msg"]  # type: ignore[index]
    return "is missing: set it in the environment" if kind == "missing" else f"is wrong: {message}"
