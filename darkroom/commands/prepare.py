"""`darkroom database`, `topics`, `bucket`: the one-shot steps, for wherever the services run."""

import asyncio

import click

from darkroom import steps
from darkroom.commands.examples import examples
from darkroom.commands.orphans import orphans


@click.group(
    epilog=examples(
        "darkroom database prepare                      the database, and a role for each service",
        "darkroom database migrate                      the newest tables of every service",
        "darkroom database migrate --service ledger     of one",
    )
)
def database() -> None:
    """Make what the services need in PostgreSQL."""


@database.command()
@click.pass_obj
def prepare(environ: dict[str, str]) -> None:
    """Make the database and a role for each service.

    Needs DARKROOM_ADMIN_DATABASE_URL, and the GATEWAY_, GENERATOR_, UPLOADER_ and LEDGER_DATABASE_URL.
    """
    asyncio.run(steps.prepare_database(environ))
    click.echo("The database and its roles are there.")


@database.command()
@click.option("--service", "services", multiple=True, type=click.Choice(steps.WITH_TABLES), help="This service alone.")
@click.pass_obj
def migrate(environ: dict[str, str], services: tuple[str, ...]) -> None:
    """Bring the tables of every service, or of one, to the newest form.

    Needs the GATEWAY_, GENERATOR_, UPLOADER_ and LEDGER_DATABASE_URL.
    """
    asyncio.run(steps.migrate(environ, services or steps.WITH_TABLES))
    click.echo(f"The tables of {', '.join(services or steps.WITH_TABLES)} are the newest.")


@click.group(
    epilog=examples(
        "darkroom topics apply                              every topic, in three copies",
        "KAFKA_TOPIC_REPLICATION=1 darkroom topics apply    one copy of each, for a single broker",
    )
)
def topics() -> None:
    """Make what the services need in Kafka."""


@topics.command()
@click.pass_obj
def apply(environ: dict[str, str]) -> None:
    """Make every topic, and give it the settings it must have.

    Needs KAFKA_BOOTSTRAP_SERVERS; KAFKA_TOPIC_REPLICATION says how many copies (3 when not given).
    """
    asyncio.run(steps.apply_topics(environ))
    click.echo("The topics are there.")


@click.group(
    epilog=examples(
        "darkroom bucket create      the bucket the media go to",
        "darkroom bucket orphans     what lies in it and is nobody's; deletes nothing by itself",
    )
)
def bucket() -> None:
    """Make what the services need in S3, and keep it tidy."""


bucket.add_command(orphans)


@bucket.command()
@click.pass_obj
def create(environ: dict[str, str]) -> None:
    """Make the bucket the media go to.

    Needs S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY and S3_BUCKET_NAME; S3_ENDPOINT_URL when it is not AWS.
    """
    asyncio.run(steps.create_bucket(environ))
    click.echo("The bucket is there.")
