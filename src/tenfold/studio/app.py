"""The application and its server."""

import contextlib
import importlib
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from tenfold import registry
from tenfold.core.console import say
from tenfold.core.errors import BadInput, TenfoldError
from tenfold.core.theme import FONT
from tenfold.studio.home import CSS, cards
from tenfold.studio.passwords import is_loopback, read_passwords, verifier
from tenfold.studio.safety import MAX_FILE, Guard

__all__ = ["build", "serve"]


def build() -> Any:
    """The Gradio application: home page and a route for every ready system, not yet mounted."""
    # Read when Gradio is imported: without it, Gradio asks addresses outside.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    import gradio as gr

    faults: dict[str, str] = {}
    with gr.Blocks(title="tenfold", analytics_enabled=False) as demo:
        gr.Markdown("# tenfold\nTen research systems, on your own data, on this machine. Nothing leaves it.")
        home = gr.HTML("")
    for system in registry.ready():
        with demo.route(system.title, f"/{system.name}"):
            gr.Markdown(f"# {system.title}\n{system.summary}  \n<small>{system.paper}</small>")
            try:
                importlib.import_module(f"{system.module}.page").build()
            except TenfoldError as error:
                faults[system.name] = str(error)
                gr.Markdown(f"**This page does not work here.** {error}")
    home.value = cards(faults)
    return demo


def serve(host: str = "127.0.0.1", port: int = 7860, auth_file: Path | None = None) -> None:
    """Serve until Ctrl-C or SIGTERM; uploads are removed at the end.

    Args:
        host: address to bind. Anything but loopback needs `auth_file`.
        port: 0 takes a free one.
        auth_file: lines of user:password.

    Raises:
        BadInput: a public address without `auth_file`, a bad `auth_file`, a port that is taken.
    """
    public = not is_loopback(host)
    if public and auth_file is None:
        raise BadInput(
            f"{host} can be reached from outside, and there is no --auth.", "Give --auth FILE, or keep 127.0.0.1."
        )
    users = read_passwords(auth_file) if auth_file is not None else None
    listener = _bind(host, port)
    folder = Path(tempfile.mkdtemp(prefix=f"tenfold-{secrets.token_hex(16)}-"))  # mode 0700
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    previous = {number: signal.signal(number, handler) for number, handler in _endings()}
    try:
        _run(listener, folder, users, public)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        listener.close()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _run(listener: socket.socket, folder: Path, users: dict[str, str] | None, public: bool) -> None:
    import gradio as gr
    import uvicorn
    from fastapi import FastAPI

    demo = build()
    host, port = listener.getsockname()[:2]
    themes = importlib.import_module("gradio.themes")
    fonts = [themes.Font(name.strip().strip("'")) for name in FONT.split(",")]
    mono = [themes.Font("ui-monospace"), themes.Font("monospace")]
    warnings.filterwarnings("ignore", message="SSR mode is not supported")  # it was not asked for
    app = gr.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        demo,
        path="/",
        auth=verifier(users) if users is not None else None,
        server_name=host,
        server_port=port,
        footer_links=[],
        run_history=False,
        show_error=True,
        max_file_size=MAX_FILE,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=themes.Soft(primary_hue="blue", font=fonts, font_mono=mono),
        css=CSS,
    )
    # Paths in answers are told from other text by the folder's name, which nobody can guess.
    guarded = Guard(app, str(folder), loopback_only=not public)
    config = uvicorn.Config(guarded, log_level="warning", access_log=False, timeout_graceful_shutdown=3, ws="none")
    say(f"tenfold studio: http://{f'[{host}]' if ':' in host else host}:{port}  (Ctrl-C ends it)")
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        raise BadInput(
            f"{host}:{port} cannot be bound: {error.strerror or error}.", "Choose another --port or --host."
        ) from error
    listener.listen(128)
    return listener


def _endings() -> Iterator[tuple[int, Any]]:
    """The signals that end the server in order, with what to do. A closed terminal (SIGHUP) ends it as SIGTERM does."""
    yield signal.SIGTERM, _stop
    hangup = getattr(signal, "SIGHUP", None)  # not on Windows
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        yield hangup, lambda *_: signal.raise_signal(signal.SIGTERM)


def _stop(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
