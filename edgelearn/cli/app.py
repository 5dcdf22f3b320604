"""The group of commands, and the one place where exceptions become text and exit codes."""

from __future__ import annotations

import errno
import importlib
import os
import sys
import tempfile
import traceback
from typing import Any

import click

from edgelearn import __version__
from edgelearn.cli.interrupts import guarded
from edgelearn.cli.output import emit, say
from edgelearn.errors import EdgelearnError, InputError, InternalError, UsageError, nearest

# What a disk says that is full or may not be written; anything else that the system refuses is a bug of ours.
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG}
# In the order in which a user meets them; the sentence is the first line of the command's own help.
COMMANDS = {
    "new": "Start a project: settings, CI workflow, and a model and data to try.",
    "inspect": "Show what a model is made of and what training it would take.",
    "plan": "Show every byte of RAM before anything is compiled.",
    "rank": "Show what each layer is worth training, measured with your samples.",
    "shift": "Tune weights to signed powers of two: 2 to 4 bits, no products.",
    "build": "Compile the training program for a board.",
    "run": "Train on the board: plan, build, start, train, check, export.",
    "test": "Train on an emulated board and hold limits, for your own CI.",
    "monitor": "Watch a running device.",
    "export": "Write weights that a run saved back into the model file.",
    "flash": "Load a program that edgelearn build wrote onto its board.",
    "boards": "List the boards.",
    "ops": "List the operators a model may use.",
    "doctor": "Check which tools are installed and say what to type for the rest.",
}
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 80, "terminal_width": 80}


class Commands(click.Group):
    """Imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"edgelearn.cli.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = nearest(args[0], COMMANDS)
            raise UsageError(
                f"there is no command '{args[0]}'",
                hint=f"did you mean 'edgelearn {near}'?" if near else "edgelearn --help lists the commands",
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=Commands, context_settings=CONTEXT, no_args_is_help=False, invoke_without_command=True)
@click.version_option(__version__, "-V", "--version", message="edgelearn %(version)s")
@click.pass_context
def group(ctx: click.Context) -> None:
    """Compile a trained model into a microcontroller that keeps training it.

    Start with: edgelearn new demo --example wearable
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(args: list[str]) -> int:
    """Run one command; gives the exit code and never raises."""
    try:
        return guarded(lambda: _run(args))
    except BrokenPipeError:
        # Who reads our output has seen enough; without this Python complains once more while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(args: list[str]) -> int:
    try:
        with group.make_context("edgelearn", list(args)) as ctx:
            group.invoke(ctx)
        sys.stdout.flush()
        return 0
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        return _fail(_usage(error), args)
    except EdgelearnError as error:
        return _fail(error, args)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _fail(_disk(error) if error.errno in DISK else _bug(error), args)
    except Exception as error:
        return _fail(_bug(error), args)


def _fail(error: EdgelearnError, args: list[str]) -> int:
    say(error.render())
    if os.environ.get("EDGELEARN_TRACEBACK") == "1":
        traceback.print_exception(error)
    if "--json" in args:
        emit(error.to_json())
        sys.stdout.flush()
    return error.exit_code


def _usage(error: click.ClickException) -> UsageError:
    """Click's complaint in our words."""
    ctx: Any = getattr(error, "ctx", None)
    program = ctx.command_path if ctx else "edgelearn"
    hint = f"{program} --help lists what it takes"
    if isinstance(error, click.NoSuchOption):
        known = [name for p in (ctx.command.params if ctx else ()) for name in p.opts] + ["--help"]
        near = nearest(error.option_name, known)
        message = f"there is no option {error.option_name}"
        return UsageError(message, where=program, hint=f"did you mean {near}?" if near else hint)
    message = error.format_message().strip().rstrip(".")
    return UsageError(message[:1].lower() + message[1:], where=program, hint=hint)


def _disk(error: OSError) -> InputError:
    reason = (error.strerror or str(error)).lower()
    return InputError(f"can't write: {reason}", where=str(error.filename) if error.filename else None)


def _bug(error: Exception) -> InternalError:
    """An exception nobody foresaw: one line, and the traceback in a file."""
    handle, path = tempfile.mkstemp(prefix="edgelearn-", suffix=".traceback")
    with os.fdopen(handle, "w") as file:
        file.write("".join(traceback.format_exception(error)))
    text = " ".join(str(error).split())[:120]
    bug = InternalError(
        f"this is a bug in edgelearn: {type(error).__name__}{': ' if text else ''}{text}",
        hint=f"please report it with {path}, where the traceback is",
    )
    bug.__cause__ = error
    return bug
