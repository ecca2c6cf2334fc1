"""The script that runs the documents: what it finds and compares, and that no block is left out without a word."""

import importlib.util
import re
from pathlib import Path

import pytest

CLONE = Path(__file__).resolve().parents[2]
_SPEC = importlib.util.spec_from_file_location("run_commands", CLONE / "docs" / "run_commands.py")
assert _SPEC is not None
assert _SPEC.loader is not None
run_commands = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(run_commands)

DOCUMENT = """# A document

```console
$ echo one; echo two 17 s; echo three
one
two ... s
$ printf '%s\\n' \\
    four
four
```

<!-- not run: it is wrong -->
```bash
false
```

<!-- not run: this comment is of another block -->
```powershell
dir
```

<!-- slow: really -->
<!-- first: echo 3 > number -->
```python
from pathlib import Path
x = int(Path("number").read_text())
```

```python
print((x, x + 1))  # (3, 4)
print("words")  # a comment in words is not compared
```
"""


def write(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(run_commands, "CLONE", tmp_path)
    (tmp_path / "a.md").write_text(text)
    return tmp_path / "a.md"


def test_a_document_is_run(tmp_path, monkeypatch, capsys):
    path = write(tmp_path, DOCUMENT, monkeypatch)
    assert run_commands.run_document(path, fast=False) == (3, 0, 1)
    assert "FAILED" not in capsys.readouterr().out


@pytest.mark.parametrize("change, said", [
    (("two ... s\n", "two ... h\n"), "shown, but not printed: two ... h"),
    (("one\ntwo", "two 17 s\none"), "shown, but not printed: one"),
    (("# (3, 4)", "# (3, 5)"), "shown, but not printed: (3, 5)"),
    (("int(Path", "float(Path('x').y"), "FAILED a.md:"),
    (("    four\nfour", "    four && false"), "exit code 1"),
])  # fmt: skip
def test_what_is_not_so_is_said(tmp_path, monkeypatch, capsys, change, said):
    assert change[0] in DOCUMENT
    path = write(tmp_path, DOCUMENT.replace(*change), monkeypatch)
    assert run_commands.run_document(path, fast=False)[1] >= 1
    assert said in capsys.readouterr().out


def test_fast_leaves_out_what_is_slow(tmp_path, monkeypatch):
    path = write(tmp_path, DOCUMENT.replace("print((x", "print((3").replace("x + 1", "4"), monkeypatch)
    assert run_commands.run_document(path, fast=True) == (2, 0, 2)


def test_every_fence_of_our_documents_is_of_a_known_language():
    """A block in another language would be left out without a word."""
    known = {"", "bash", "console", "python", "powershell", "bibtex", "json", "csv", "yaml", "text"}
    for path in [CLONE / "README.md", *(CLONE / "docs").glob("*.md")]:
        fences = re.findall(r"^ *```(.*)$", path.read_text(), flags=re.MULTILINE)
        assert len(fences) % 2 == 0, path
        assert set(fences) <= known, path
