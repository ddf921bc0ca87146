"""Optional packages: loaded when they are needed, named when they are missing."""

import importlib
import importlib.util
from types import ModuleType

from tenfold.core.errors import ExtraMissing

__all__ = ["is_installed", "require"]


def require(module: str, extra: str) -> ModuleType:
    """Import an optional package.

    Args:
        module: import path, e.g. "gymnasium".
        extra: the extra of tenfold that brings it, e.g. "udrl".

    Raises:
        ExtraMissing: it is not installed, or does not load on this machine (a missing system library is named).
    """
    install = f"Install it with: pip install 'tenfold[{extra}]'"
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or module
        raise ExtraMissing(f"This needs the package {missing!r}, which is not installed.", install) from error
    except (ImportError, OSError) as error:
        raise ExtraMissing(f"The package {module!r} is installed but does not load: {error}.", install) from error


def is_installed(module: str) -> bool:
    """Whether a package can be found, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
