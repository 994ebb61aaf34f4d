"""docs/licences.md names a licence for each package, also where the metadata do not."""

from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import pytest
from generated import licences

PAGE = Path(__file__).resolve().parent.parent / "docs" / "licences.md"


def test_every_package_has_one() -> None:
    rows = [line.strip("|").split("|") for line in PAGE.read_text().splitlines() if "| " in line]
    assert len(rows) > 50
    for package, licence, *_where in rows:
        assert licence.strip() not in ("", "?", "not said"), package
        assert "%" not in licence, package


class File:
    """A file of an installed package: `importlib.metadata.PackagePath`, as far as it is used."""

    def __init__(self, name: str, text: str) -> None:
        path = PurePosixPath(name)
        self.stem, self.suffix, self.parts = path.stem, path.suffix, path.parts
        self._text = text

    def read_text(self, **_: str) -> str:
        return self._text


MIT = "MIT-like\n\nPermission is hereby granted, free of charge, to any person obtaining a copy\nof"


@pytest.mark.parametrize(
    ("files", "licence"),
    [
        ({"x.dist-info/licenses/LICENSE": f"(c) somebody\n{MIT}"}, "MIT License"),
        ({"LICENSE.txt": "   Apache License\n   Version 2.0, January"}, "Apache License 2.0"),
        ({"x/_vendor/y/LICENSE": MIT, "em.py": "__license__ = 'LGPL'\n"}, "LGPL"),
        ({"COPYING": "The Beer Licence\nof 1999"}, "The Beer Licence of 1999"),
        ({"em.py": "x = 1\n"}, ""),
    ],
)
def test_a_licence_that_only_files_name(monkeypatch, files, licence) -> None:
    package = SimpleNamespace(files=[File(name, text) for name, text in files.items()])
    monkeypatch.setattr(licences, "distribution", lambda _: package)
    assert licences._licence_of_files("x") == licence
