"""The web application: a home page with ten cards, one route per ready system, and the walls around it.

| file | holds |
|---|---|
| `app.py` | `build`: the Gradio application; `serve`: the server, its private folder, its end |
| `home.py` | the home page |
| `safety.py` | the middleware: whose file is it, how large is a request, who may ask |
| `passwords.py` | the file of `--auth` |
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenfold.studio.app import build, serve

__all__ = ["build", "serve"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tenfold.studio import app

    return getattr(app, name)
