"""The `etude ui` command: the page over a folder of `etude run`."""

import asyncio
import signal
import socket
from pathlib import Path
from typing import Annotated

import typer

from etude.home import LOCAL_HOME

_ANY_PORT = 0


def ui(
    home: Annotated[Path, typer.Option(envvar="ETUDE_HOME", help="Folder of etude run.")] = Path(LOCAL_HOME),
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Default: 8080, or any that is free if that is not.")
    ] = None,
) -> None:
    """Show the page and the API of what etude run keeps, while it runs or afterwards; for this machine alone."""
    from etude.service.logs import log_quietly
    from etude_standalone.folder import Folder, NoFolderError, serve

    log_quietly()
    try:
        listener = listen(port)
    except OSError as error:
        typer.echo(
            f"port {port} of this machine cannot be used: {error.strerror}; name another one with --port", err=True
        )
        raise typer.Exit(1) from None

    async def main() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        folder = Folder(home)
        typer.echo(f"etude shows {folder.home} at http://127.0.0.1:{listener.getsockname()[1]} - Ctrl-C ends it")
        await serve(folder, listener, stop)

    try:
        asyncio.run(main())
    except NoFolderError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def listen(port: int | None, usual: int = 8080) -> socket.socket:
    """A socket on the loopback address; if no port is named, on the usual one or else on any.

    Raises
    ------
    OSError
        The port cannot be used.
    """
    wanted = [usual, _ANY_PORT] if port is None else [port]
    for number in wanted:
        try:
            return socket.create_server(("127.0.0.1", number))
        except OSError:
            if number == wanted[-1]:
                raise
    raise AssertionError("a port was tried")
