"""A small finished workspace, made by code: an iris classifier with its results, and what was asked for."""

import io
import json
import struct
import zlib

from tenfold.judge.types import Requirement, Requirements

__all__ = ["LOADER", "REQUIREMENTS", "finished", "pdf", "picture"]

LOADER = '''"""Loading."""
from sklearn.datasets import load_iris
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.preprocessing import StandardScaler


def load():
    data = load_iris()
    scaled = StandardScaler().fit_transform(data.data)
    return SelectKBest(f_classif, k=2).fit_transform(scaled, data.target), data.target
'''

_MODEL = """from sklearn.svm import SVC


def build(kernel="rbf"):
    return SVC(kernel=kernel, C=1.0)
"""

_TRAIN = """import joblib
import matplotlib.pyplot as plt
import seaborn as sns
from sklearn.metrics import accuracy_score, confusion_matrix
from sklearn.model_selection import cross_val_score, train_test_split

from data_loader import load
from model import build


def main():
    features, labels = load()
    train_x, test_x, train_y, test_y = train_test_split(features, labels)
    model = build().fit(train_x, train_y)
    accuracy = accuracy_score(test_y, model.predict(test_x))
    scores = cross_val_score(build(), features, labels)
    with open("results/metrics/accuracy.txt", "w") as file:
        file.write(f"accuracy: {accuracy} {scores.mean()}")
    sns.heatmap(confusion_matrix(test_y, model.predict(test_x)))
    plt.savefig("results/figures/confusion_matrix.png")
    joblib.dump(model, "models/saved_models/svm.joblib")


main()
"""

_REPORT = "# Report\n\n" + "The iris flowers were loaded, standardized and split; a support vector machine was trained. " * 6

REQUIREMENTS = Requirements(
    "iris",
    tuple(
        Requirement(str(number), criteria, (), category)
        for number, (criteria, category) in enumerate(
            [
                ('The "Iris" dataset is loaded in `src/data_loader.py`.', "Dataset or Environment"),
                ("Feature selection is implemented in `src/data_loader.py`.", "Data preprocessing and postprocessing"),
                ('The "SVM classifier" is implemented in `src/model.py`.', "Machine Learning Method"),
                ("Cross-validation is used to evaluate the model in `src/train.py`.", "Performance Metrics"),
                ("The accuracy is saved as `results/metrics/accuracy.txt`.", "Performance Metrics"),
                (
                    'The confusion matrix is drawn with "seaborn" and saved as `results/figures/confusion_matrix.png`.',
                    "Visualization",
                ),
                ("The trained model is saved under `models/saved_models/`.", "Save Trained Model"),
                ("A report is generated and saved as `results/report.md`.", "Other"),
                ("A summary is saved as `results/summary.pdf`.", "Other"),
            ]
        )
    ),
)


def picture(width: int = 64, height: int = 48, plain: bool = False) -> bytes:
    """A PNG: a slope of greys, or one colour."""
    rows = b"".join(
        b"\x00" + bytes(0 if plain else (x * 255 // max(1, width - 1)) for x in range(width)) for _ in range(height)
    )

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def pdf(text: str) -> bytes:
    """A PDF of one page with a text."""
    stream = f"BT /F1 10 Tf 20 700 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, one in enumerate(objects, start=1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%b\nendobj\n" % (number, one))
    start = out.tell()
    out.write(b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places))
    out.write(b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % start)
    return out.getvalue()


def finished() -> dict[str, bytes]:
    """The workspace: relative path -> content."""
    import pickle

    weights = pickle.dumps({"support": [0.1 * number for number in range(100)]})
    return {
        "src/data_loader.py": LOADER.encode(),
        "src/model.py": _MODEL.encode(),
        "src/train.py": _TRAIN.encode(),
        "results/metrics/accuracy.txt": b"accuracy: 0.9667 0.9533",
        "results/figures/confusion_matrix.png": picture(),
        "models/saved_models/svm.joblib": weights,
        "results/report.md": _REPORT.encode(),
        "results/summary.pdf": pdf("The support vector machine told the flowers apart in nearly all cases. " * 5),
        "results/scores.json": json.dumps({"accuracy": 0.9667}).encode(),
    }
