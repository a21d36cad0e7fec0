"""`bandstand schema`: the protocol for machines."""

import json

import click

from bandstand.cli.context import Cli, pass_cli


@click.command()
@click.option("--asyncapi", "kind", flag_value="asyncapi", default=True, help="The AsyncAPI 3 document (the default).")
@click.option("--json-schema", "kind", flag_value="json-schema", help="JSON Schemas of all frames.")
@pass_cli
def command(cli: Cli, kind: str) -> None:
    """Print the protocol, of members and of operators, as an AsyncAPI document or as JSON Schemas."""
    from gateway.admin.schema import ADMIN
    from gateway.protocol.attendee import ATTENDEE
    from gateway.protocol.schema import asyncapi, json_schema

    make = json_schema if kind == "json-schema" else asyncapi
    document = make(ATTENDEE, ADMIN)
    if cli.json:
        cli.data(document)
    else:
        cli.say(json.dumps(document, indent=1, ensure_ascii=False))
