"""`darkroom models`: which models are known and what they take, and the providers' own word on that."""

from collections.abc import Mapping
from pathlib import Path

import click

from darkroom.commands.examples import examples
from darkroom.operators import NothingChanged, as_json, table, told
from darkroom.steps import WrongSettingError
from schemas.catalogue import CatalogueError, ModelCard, catalogue

DIRECTORY = "MODELS_DIRECTORY"
HEADINGS = ("MODEL", "PROVIDER", "KIND", "PER CALL", "COST", "FORMATS")

directory_option = click.option(
    "--directory", type=click.Path(path_type=Path, file_okay=False), help=f"Where cards are kept: {DIRECTORY}."
)


@click.group(
    epilog=examples(
        "darkroom models list",
        "darkroom models show fake/painter",
        "darkroom models refresh black-forest-labs/flux-schnell --directory models",
    )
)
def models() -> None:
    """See and refresh what is known of models. See docs/models.md."""


@models.command("list", epilog=examples("darkroom models list --json | jq '.[].name'"))
@as_json
@directory_option
@click.pass_obj
def list_(environ: dict[str, str], in_json: bool, directory: Path | None) -> None:
    """Show the catalogue: the packaged models, and those of your own."""
    cards = sorted(_known(environ, directory).values(), key=lambda card: card.name)
    if in_json:
        click.echo(told([card.model_dump(mode="json", exclude={"input_schema"}) for card in cards]))
        return
    click.echo(table(HEADINGS, [
        (card.name, card.provider, card.kind, card.outputs_per_call, card.cost_units, ", ".join(card.formats) or None)
        for card in cards
    ]))  # fmt: skip


@models.command(epilog=examples("darkroom models show fake/painter | jq .input_schema"))
@click.argument("model")
@directory_option
@click.pass_obj
def show(environ: dict[str, str], model: str, directory: Path | None) -> None:
    """Show a model's card, as JSON."""
    card = _known(environ, directory).get(model)
    if card is None:
        raise NothingChanged(f"{model} is not in the catalogue: see `darkroom models list`")
    click.echo(told(card.model_dump(mode="json")))


@models.command(
    epilog=examples(
        "darkroom models refresh black-forest-labs/flux-schnell --directory models",
        "darkroom models refresh                                    every one of Replicate's that is there",
    )
)
@click.argument("names", metavar="[MODEL]...", nargs=-1)
@as_json
@directory_option
@click.pass_obj
def refresh(environ: dict[str, str], names: tuple[str, ...], in_json: bool, directory: Path | None) -> None:
    """Ask Replicate what models take, and write that down as cards. Services read them when they start.

    Needs REPLICATE_API_TOKEN. What a card says of `cost_units` is yours and stays. Exit code 1 when one of the models
    cannot be described; the others are written.
    """
    import asyncio

    from darkroom.refreshing import refreshed

    folder = directory or (Path(environ[DIRECTORY]) if environ.get(DIRECTORY) else None)
    if folder is None:
        raise WrongSettingError(f"{DIRECTORY} is not set: it says where cards are kept. Or give --directory")
    try:
        done = asyncio.run(refreshed(environ, folder, names))
    except CatalogueError as wrong:
        raise WrongSettingError(f"{DIRECTORY}: {wrong}") from None
    except KeyError as missing:
        raise WrongSettingError(f"{missing.args[0]} is not set: it says who asks") from None
    if in_json:
        click.echo(told(done))
    else:
        for each in done:
            click.echo(f"{each.model}: {each.what}", err=not each.good)
    if not all(each.good for each in done):
        raise click.exceptions.Exit(1)


def _known(environ: Mapping[str, str], directory: Path | None) -> Mapping[str, ModelCard]:
    try:
        return catalogue(str(directory or environ.get(DIRECTORY, "")))
    except CatalogueError as wrong:
        raise WrongSettingError(f"{DIRECTORY}: {wrong}") from None
