"""The command line."""

from __future__ import annotations

from pathlib import Path

import click

from . import configuration as configurations
from .redaction import Redactor, log_without_secrets

CONFIGURATION_FILE = "/etc/elephant_worker/console.toml"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=CONFIGURATION_FILE,
    show_default=True,
    envvar="ELEPHANT_CONSOLE_CONFIG",
    help="The configuration file.",
)
@click.version_option(package_name="elephant-console")
@click.pass_context
def main(context: click.Context, config: Path) -> None:
    """Brings the alerts of elephant_worker, the cron inside PostgreSQL, to people."""
    log_without_secrets(Redactor())
    context.obj = config


def _read(config: Path) -> configurations.Configuration:
    try:
        configuration = configurations.read(config)
    except configurations.ConfigurationError as error:
        for problem in error.problems:
            click.echo(f"wrong: {problem}", err=True)
        raise SystemExit(2) from None
    log_without_secrets(configuration.redactor())
    return configuration


@main.command()
@click.pass_obj
def forward(config: Path) -> None:
    """Send alerts to the receivers, until a signal ends it."""
    # Apprise takes half a second to import.
    from .forward import program
    from .forward.delivery import UnusableUrlError

    configuration = _read(config)
    try:
        well = program.run(configuration)
    except UnusableUrlError as error:
        click.echo(f"wrong: the URL of a receiver: {error}; elephant-console check says which", err=True)
        raise SystemExit(2) from None
    raise SystemExit(0 if well else 1)


@main.command()
@click.option("--send/--no-send", default=True, show_default=True, help="Send a test message to each receiver.")
@click.pass_obj
def check(config: Path, send: bool) -> None:
    """Say what is wrong with the configuration, and send a test."""
    from .check import check as found

    configuration = _read(config)
    redact = configuration.redactor()
    well = True
    for right, line in found(configuration, send):
        click.echo(f"{'ok' if right else 'wrong'}: {redact(line)}", err=not right)
        well = well and right
    raise SystemExit(0 if well else 2)
