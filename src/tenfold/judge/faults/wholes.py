"""Faults of any file or folder: gone, empty, elsewhere, under another name, replaced by words."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from tenfold.judge.faults.reference import Files

__all__ = [
    "claimed_only",
    "criterion_pasted",
    "deleted",
    "emptied",
    "folder_deleted",
    "folder_emptied",
    "folder_moved",
    "placeholder_words",
    "prose_instead",
    "renamed",
]

PLACEHOLDER = "TODO: this will be filled in later.\n\nLorem ipsum placeholder.\n"
PROSE = (
    "In this file the requested functionality is provided. The approach was chosen after careful thought, and it follows\n"
    "established practice. All parts work together, and the outcome meets what was asked for.\n"
)


def deleted(files: Files, path: str) -> Files:
    """The file is not there."""
    return {name: content for name, content in files.items() if name != path}


def emptied(files: Files, path: str) -> Files:
    """The file has zero bytes."""
    return {**files, path: b""}


def renamed(files: Files, path: str) -> Files:
    """The content stands under another name in the same folder."""
    place = PurePosixPath(path)
    other = str(place.with_name(f"{place.stem}_v2{place.suffix}"))
    return {(other if name == path else name): content for name, content in files.items()}


def prose_instead(files: Files, path: str) -> Files:
    """Prose under the name of a program, a picture or a model."""
    return {**files, path: PROSE.encode()}


def placeholder_words(files: Files, path: str) -> Files:
    """A text that announces its content instead of having it."""
    return {**files, path: PLACEHOLDER.encode()}


def claimed_only(files: Files, path: str, criteria: Sequence[str]) -> Files:
    """The file is not there, but the README says that all is done."""
    readme = next((name for name in files if name.lower() == "readme.md"), "README.md")
    claim = "\n## Status\n" + "".join(f"- [x] {text}\n" for text in criteria)
    return {**deleted(files, path), readme: files.get(readme, b"# Project\n") + claim.encode()}


def criterion_pasted(files: Files, path: str, criteria: Sequence[str]) -> Files:
    """A program that only repeats what was asked for, in comments and strings."""
    lines = [text.replace('"', "'").replace("\\", "/") for text in criteria]
    if path.endswith(".py"):
        body = ['"""' + " ".join(lines) + '"""', "", *[f"# {line}" for line in lines], "", "DONE = ["]
        body += [
            *[f'    "{line}",' for line in lines],
            "]",
            "",
            "",
            "def main():",
            "    for line in DONE:",
            "        print(line)",
        ]
    else:
        body = [*[f"// {line}" for line in lines], "const done = [", *[f'  "{line}",' for line in lines], "];"]
        body += ["for (const line of done) console.log(line);"]
    return {**files, path: ("\n".join(body) + "\n").encode()}


def folder_deleted(files: Files, folder: str) -> Files:
    """The folder and all beneath it are not there."""
    return {name: content for name, content in files.items() if not name.startswith(f"{folder}/")}


def folder_emptied(files: Files, folder: str) -> Files:
    """The folder is there, with nothing in it but a file that keeps it."""
    return {**folder_deleted(files, folder), f"{folder}/.gitkeep": b""}


def folder_moved(files: Files, folder: str) -> Files:
    """The folder has another name; what is in it is unchanged."""
    inside = f"{folder}/"
    return {(f"old_{name}" if name.startswith(inside) else name): content for name, content in files.items()}
