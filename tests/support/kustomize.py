"""A renderer for the few features of kustomize that deploy/kubernetes uses."""

from copy import deepcopy

from ruamel.yaml import YAML

KNOWN = {"apiVersion", "kind", "resources", "namespace", "images", "patches"}
CLUSTER_WIDE = {"Namespace"}


def read(path):
    """Every document of a file."""
    return [document for document in YAML(typ="safe").load_all(path) if document]


def render(directory):
    """The manifests of a directory with a kustomization.yaml, by kind and name."""
    (kustomization,) = read(directory / "kustomization.yaml")
    assert kustomization.keys() <= KNOWN, "tests/support/kustomize.py supports no other key"
    manifests = {}
    for resource in kustomization["resources"]:
        path = directory / resource
        found = render(path) if path.is_dir() else {key_of(each): each for each in read(path)}
        assert not manifests.keys() & found.keys()
        manifests |= found
    for patch in kustomization.get("patches", []):
        assert patch.keys() == {"path"}
        for each in read(directory / patch["path"]):
            manifests[key_of(each)] = merge(manifests[key_of(each)], each)
    for manifest in manifests.values():
        if "namespace" in kustomization and manifest["kind"] not in CLUSTER_WIDE:
            manifest["metadata"]["namespace"] = kustomization["namespace"]
        for image in kustomization.get("images", []):
            name_images(manifest, image)
    return manifests


def key_of(manifest):
    return manifest["kind"], manifest["metadata"]["name"]


def merge(manifest, patch):
    """A strategic merge: objects by their keys, containers by their names."""
    merged = deepcopy(manifest)
    for key, value in patch.items():
        ours = merged.get(key)
        if isinstance(ours, dict):
            merged[key] = merge(ours, value)
        elif isinstance(ours, list):
            assert key == "containers", f"tests/support/kustomize.py merges no {key}"
            by_name = {each["name"]: each for each in ours}
            for each in value:
                by_name[each["name"]] = merge(by_name.get(each["name"], {}), each)
            merged[key] = list(by_name.values())
        else:
            merged[key] = value
    return merged


def name_images(manifest, image):
    """Give the containers that run an image its new name and tag."""
    assert image.keys() == {"name", "newName", "newTag"}
    template = manifest.get("spec", {}).get("template", {})
    for container in template.get("spec", {}).get("containers", []):
        if container["image"] == image["name"]:
            container["image"] = f"{image['newName']}:{image['newTag']}"
