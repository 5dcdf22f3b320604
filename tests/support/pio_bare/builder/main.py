"""What a platform for bare boards sets: its own idea of optimization, core flags without an FPU, libraries."""

from SCons.Script import Default, DefaultEnvironment

CORE = ["-mthumb", "-mcpu=cortex-m4"]
env = DefaultEnvironment()
env.Replace(
    AS="arm-none-eabi-gcc",
    CC="arm-none-eabi-gcc",
    CXX="arm-none-eabi-g++",
    LINK="arm-none-eabi-gcc",
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
)
env.Append(
    ASFLAGS=CORE,
    ASPPFLAGS=["-x", "assembler-with-cpp"],
    CCFLAGS=["-Os", "-ffunction-sections", "-fdata-sections", "-Wall", *CORE],
    LINKFLAGS=["-Os", "-Wl,--gc-sections,--relax", *CORE],
    LIBS=["gcc"],
)
Default(env.BuildProgram())
