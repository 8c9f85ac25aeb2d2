"""Makes the wheel with the standard library alone, and is the package's build backend (PEP 517).

    python3 make_wheel.py [FOLDER]    writes hawser-VERSION-py3-none-any.whl, always the same bytes

`pip install ./clients/python` works without a network too: nothing else is needed to build it.
"""

from __future__ import annotations

import base64
import hashlib
import re
import sys
import zipfile
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

ROOT = Path(__file__).parent
#: The time of every file in the wheel, so that its bytes depend on the sources alone.
TIME = (2020, 1, 1, 0, 0, 0)


def _project() -> Dict[str, str]:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    names = ("name", "version", "description", "requires-python", "license")
    found = {name: re.search(rf'^{name} = "(.*)"$', text, re.MULTILINE) for name in names}
    return {name: match.group(1) for name, match in found.items() if match is not None}


def _metadata(project: Dict[str, str]) -> str:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return (
        f"Metadata-Version: 2.3\nName: {project['name']}\nVersion: {project['version']}\n"
        f"Summary: {project['description']}\nRequires-Python: {project['requires-python']}\n"
        f"License-Expression: {project['license']}\n"
        f"Description-Content-Type: text/markdown\n\n{readme}"
    )


def make(folder: Path) -> Path:
    """Writes the wheel into a folder; returns its path."""
    project = _project()
    info = f"{project['name']}-{project['version']}.dist-info"
    files: List[Tuple[str, bytes]] = []
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix == ".py" or path.name == "py.typed":
            files.append((path.relative_to(ROOT / "src").as_posix(), path.read_bytes()))
    files.append((f"{info}/METADATA", _metadata(project).encode("utf-8")))
    wheel = "Wheel-Version: 1.0\nGenerator: make_wheel\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files.append((f"{info}/WHEEL", wheel.encode("utf-8")))
    record = "".join(f"{name},sha256={_hash(content)},{len(content)}\n" for name, content in files)
    files.append((f"{info}/RECORD", f"{record}{info}/RECORD,,\n".encode("utf-8")))
    target = folder / f"{project['name']}-{project['version']}-py3-none-any.whl"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            entry = zipfile.ZipInfo(name, TIME)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return target


def _hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode("ascii")


def build_wheel(
    wheel_directory: str,
    config_settings: Optional[Dict[str, Any]] = None,
    metadata_directory: Optional[str] = None,
) -> str:
    """PEP 517."""
    return make(Path(wheel_directory)).name


def get_requires_for_build_wheel(config_settings: Optional[Dict[str, Any]] = None) -> List[str]:
    """PEP 517: nothing."""
    return []


if __name__ == "__main__":
    print(make(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
