"""As a vendor's platform does it: tools, the program, and an upload, which here starts QEMU on a TCP port."""

import os
import subprocess

from SCons.Script import AlwaysBuild, Default, DefaultEnvironment

CORE = ["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=softfp"]
env = DefaultEnvironment()
env.Replace(
    AS="arm-none-eabi-gcc",
    CC="arm-none-eabi-gcc",
    CXX="arm-none-eabi-g++",
    LINK="arm-none-eabi-gcc",
    AR="arm-none-eabi-ar",
    RANLIB="arm-none-eabi-ranlib",
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
)
env.Append(
    CCFLAGS=["-Os", *CORE, "-fno-tree-loop-distribute-patterns"],  # memset must not become a call of itself
    CXXFLAGS=["-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"],
    LINKFLAGS=[*CORE, "-nostdlib", "-Wl,--gc-sections"],
    LIBS=["gcc"],
)


def start(target, source, env):
    """QEMU stays when PlatformIO is done, as a board would."""
    port = env.subst("$UPLOAD_PORT") or os.environ["STUB_PORT"]
    serial = f"tcp:127.0.0.1:{port},server=on,wait=off"
    command = ["qemu-system-arm", "-M", "mps2-an386", "-kernel", str(source[0]), "-serial", serial]
    command += ["-display", "none", "-monitor", "none"]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    with open(os.environ["STUB_PID"], "w") as file:
        file.write(str(process.pid))


program = env.BuildProgram()
AlwaysBuild(env.Alias("upload", program, env.VerboseAction(start, "Starting $SOURCE")))
Default(program)
