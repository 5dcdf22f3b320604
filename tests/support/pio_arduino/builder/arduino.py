"""The framework: its core is compiled, and its linker script is the program's."""

from os.path import join

from SCons.Script import DefaultEnvironment

env = DefaultEnvironment()
folder = env.PioPlatform().get_dir()
core = join(folder, "core")
env.Append(CPPPATH=[join(folder, "..", "frameworks", "arduino")], LINKFLAGS=[f"-Wl,-T{join(core, 'core.ld')}"])
env.BuildSources(join("$BUILD_DIR", "FrameworkArduino"), core)
