"""What a call does, by its name: it loads, it writes, it draws at random."""

import re
from functools import lru_cache

from tenfold.judge.facts import Call

__all__ = ["is_drawn", "is_loader", "is_random", "is_writer", "opens_to_write"]

_LOADER = re.compile(
    r"(?i)(.*\.)?(\w*(load|read|fetch|download|open|get_data|from_csv|loadtxt|genfromtxt|retrieve|retriev|snapshot|imagefolder)\w*|make"
    r"|Dataset\w*|\w*Dataset|\w*Folder|get|connect|Ticker|history|glob|walk|listdir)\Z"
)
_WRITER = re.compile(
    r"(?i)(.*\.)?(\w*save\w*|\w*write\w*|\w*dump\w*|open|to_\w+|export\w*|imsave|imwrite|mimsave|savefig|output|build|touch"
    r"|savetxt|render|convert\w*|copy\w*|log_\w+|\w*report\w*|\w*plot\w*|Path|join)\Z"
)
_RANDOM = re.compile(
    r"(numpy\.random|random|torch|tensorflow\.random|jax\.random)\.(?:default_rng\(\)\.|RandomState\(\)\.)?"
    r"(rand|randn|random|normal|uniform|randint|standard_normal|rand_like|randn_like|gauss|random_sample|multivariate_normal|integers)\Z"
    r"|sklearn\.datasets\.(make_\w+)\Z|make_(classification|regression|blobs|moons|circles)\Z|(?:.*\.)?faker?\.\w+\Z"
)
_DRAWN = re.compile(r"(?i).*(randint|integers|\.rand|\.random|uniform|make_\w+|faker?\.\w+)\Z")


@lru_cache(maxsize=100_000)
def is_loader(name: str) -> bool:
    """It may bring data in."""
    return _LOADER.match(name) is not None


@lru_cache(maxsize=100_000)
def is_writer(name: str) -> bool:
    """It may write a file, or make the path of one."""
    return _WRITER.match(name) is not None


@lru_cache(maxsize=100_000)
def is_random(name: str) -> bool:
    """It draws numbers or makes data up."""
    return _RANDOM.match(name) is not None


def is_drawn(name: str) -> bool:
    """It draws whole values, as nobody does for noise or a start."""
    return _DRAWN.match(name) is not None


def opens_to_write(call: Call) -> bool:
    """An argument says that the file is written."""
    return bool({"w", "wb", "a", "w+", "wt", "x"} & set(call.strings))
