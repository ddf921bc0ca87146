"""tenfold: ten research systems as one tool, each a library, a command and a web page.

`from tenfold import udrl` loads a system; `tenfold.registry` lists all ten; `tenfold --help` is the command.
Nothing heavy (torch, gradio) is imported here.
"""

__all__ = ["__version__"]
__version__ = "0.1.0"
