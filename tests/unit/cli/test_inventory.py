"""The bill of materials names what is installed, each once, with its licence."""

from __future__ import annotations

import re
from importlib.metadata import version

from heimdall.cli.inventory import UNKNOWN, cyclonedx, packages

PURL = re.compile(r"pkg:pypi/[a-z0-9]+(-[a-z0-9]+)*@\S+")


def test_every_package_is_there_once_with_the_release_that_is_imported():
    found = {package.name: package for package in packages()}
    assert len(found) == len(packages())
    for name in ("numpy", "scipy", "onnxruntime", "pydantic", "heimdall"):
        assert found[name].version == version(name)
    assert found["heimdall"].licence == "Apache-2.0"
    assert "numpy" in found["heimdall"].requires


def test_nearly_every_licence_is_known_and_none_is_a_whole_text():
    licences = [package.licence for package in packages()]
    assert sum(licence == UNKNOWN for licence in licences) < 0.1 * len(licences)
    assert max(map(len, licences)) < 200


def test_the_document_refers_only_to_what_it_lists():
    document = cyclonedx(packages())
    listed = [document["metadata"]["component"], *document["components"]]
    names = {component["bom-ref"] for component in listed}
    assert len(names) == len(listed)
    assert all(PURL.fullmatch(component["purl"]) for component in listed)
    assert {entry["ref"] for entry in document["dependencies"]} == names
    assert {other for entry in document["dependencies"] for other in entry["dependsOn"]} <= names
