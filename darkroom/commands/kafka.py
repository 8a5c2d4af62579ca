"""`darkroom kafka`: Kafka's own command line tools, on the jars that the local broker runs on."""

import os
from pathlib import Path

import click

from darkroom.commands.examples import examples
from darkroom.commands.local import home_option
from darkroom.operators import kafka_settings

TOOLS = {
    "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
}


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog=examples(
        "darkroom kafka console-consumer --topic job.completed --from-beginning",
        "darkroom kafka console-consumer --topic job.completed --formatter-property print.headers=true",
        "darkroom kafka consumer-groups --group my-group --describe",
        "darkroom kafka consumer-groups -- --help          what the tool itself knows",
    ),
)
@home_option()
@click.argument("tool", type=click.Choice(sorted(TOOLS)))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def kafka(environ: dict[str, str], home: Path | None, tool: str, arguments: tuple[str, ...]) -> None:
    """Look into Kafka with its own tools, without installing it.

    They talk to KAFKA_BOOTSTRAP_SERVERS, or to the local stack. What follows the tool's name is the tool's own; a
    cluster with passwords wants its --command-config. This process becomes the tool, whose exit code is ours.
    """
    from darkroom.local.jars import tools_classpath
    from darkroom.local.java import find_java

    servers = kafka_settings(environ, home).kafka_bootstrap_servers
    java, classpath = find_java(), tools_classpath(environ, lambda text: click.echo(text, err=True))
    told = [str(java), "-Xmx256m", "-XX:+UseSerialGC", TOOLS[tool], "--bootstrap-server", servers, *arguments]
    os.execve(java, told, os.environ | {"CLASSPATH": classpath})  # noqa: S606 - Java, and no shell
