"""What kind a file is: by how its content begins, then by its name."""

__all__ = ["ARTEFACTS", "CODE", "PROSE", "TABLES", "kind_of"]

CODE = frozenset({"python", "notebook", "javascript", "typescript", "tsx", "html", "css", "shell", "code"})
PROSE = frozenset({"text", "markdown", "html", "pdf", "docx", "pptx", "rtf", "tex"})
TABLES = frozenset({"csv", "tsv", "xlsx", "parquet", "sqlite", "json", "jsonl", "yaml", "toml", "xml"})
ARTEFACTS = (PROSE | TABLES | {"image", "svg", "video", "audio", "npy", "npz", "torch", "safetensors", "hdf5", "pickle"}) | {
    "onnx", "archive", "tensorflow", "gguf",
}  # fmt: skip

_BY_SUFFIX = {
    "py": "python", "pyw": "python", "ipynb": "notebook", "js": "javascript", "mjs": "javascript", "cjs": "javascript",
    "jsx": "javascript", "ts": "typescript", "tsx": "tsx", "html": "html", "htm": "html", "css": "css", "scss": "css",
    "sh": "shell", "bash": "shell", "r": "code", "java": "code", "c": "code", "h": "code", "cc": "code", "cpp": "code",
    "hpp": "code", "cs": "code", "go": "code", "rs": "code", "rb": "code", "php": "code", "kt": "code", "swift": "code",
    "jl": "code", "scala": "code", "sql": "code", "lua": "code", "pl": "code", "m": "code", "vue": "code", "svelte": "code",
    "txt": "text", "log": "text", "out": "text", "cfg": "text", "ini": "text", "md": "markdown",
    "markdown": "markdown", "rst": "markdown", "pdf": "pdf", "docx": "docx", "pptx": "pptx", "xlsx": "xlsx", "rtf": "rtf",
    "tex": "tex", "csv": "csv", "tsv": "tsv", "parquet": "parquet", "db": "sqlite", "sqlite": "sqlite", "sqlite3": "sqlite",
    "json": "json", "jsonl": "jsonl", "ndjson": "jsonl", "yaml": "yaml", "yml": "yaml", "toml": "toml", "xml": "xml",
    "png": "image", "jpg": "image", "jpeg": "image", "gif": "image", "bmp": "image", "webp": "image", "tif": "image",
    "tiff": "image", "svg": "svg", "mp4": "video", "avi": "video", "mov": "video", "mkv": "video", "webm": "video",
    "wav": "audio", "mp3": "audio", "flac": "audio", "ogg": "audio", "npy": "npy", "npz": "npz", "pt": "torch",
    "pth": "torch", "ckpt": "torch", "bin": "torch", "safetensors": "safetensors", "h5": "hdf5", "hdf5": "hdf5",
    "keras": "hdf5", "pkl": "pickle", "pickle": "pickle", "joblib": "pickle", "sav": "pickle", "model": "pickle",
    "onnx": "onnx", "pb": "tensorflow", "gguf": "gguf", "zip": "archive", "tar": "archive", "gz": "archive",
    "tgz": "archive", "bz2": "archive", "xz": "archive",
}  # fmt: skip

_BY_NAME = {"dockerfile": "code", "makefile": "code", "requirements.txt": "text", "license": "text", "readme": "text"}


def kind_of(path: str, start: bytes) -> str:
    """The kind of a file, e.g. "python" or "image"; "unknown" if neither its name nor its content says.

    Args:
        path: its name; the folder does not matter.
        start: how its content begins. It decides only where the name does not: what a name promises is checked later,
            against the content, by the reader of that kind.
    """
    name = path.rsplit("/", 1)[-1].lower()
    stem, dot, suffix = name.rpartition(".")
    if name in _BY_NAME:
        return _BY_NAME[name]
    if dot and stem and suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    return "text" if not dot and start and _is_text(start[:4096]) else "unknown"


def _is_text(start: bytes) -> bool:
    if b"\x00" in start:
        return False
    try:
        start.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(start) - 4
    return True
