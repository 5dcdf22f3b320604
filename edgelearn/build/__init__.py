"""From C sources to an image that runs: compilers, linking, sizes."""

from edgelearn.build.compile import build_image
from edgelearn.build.image import Flash, Image, Ram
from edgelearn.build.toolchain import Compiler, find_compiler, find_emulator

__all__ = ["Compiler", "Flash", "Image", "Ram", "build_image", "find_compiler", "find_emulator"]
