"""The command line: what a person types, and what a script or an editor starts.

Only the arguments are read here; each command imports what it needs when it runs, so that the
server starts fast. Every mistake is one line on stderr: the cause, and what to do about it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from fim_lsp import __version__
from fim_lsp.errors import FimError, UsageError

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

    from fim_lsp.oneshot import Outcome, Place
    from fim_lsp.providers.local import LocalProvider
    from fim_lsp.settings import Settings

OK, FAILED, USAGE, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141
"""Exit statuses: 1 where the endpoint failed, 2 where the user was mistaken."""
LEARNING_S = 2.0
"""The local provider may read the project for this long before it is asked."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    _print_anything()
    try:
        status = _run(argv)
        sys.stdout.flush()  # here, where a reader that has gone is no error
        return status
    except UsageError as error:
        _complain(str(error))
        return USAGE
    except FimError as error:
        _complain(str(error))
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return BROKEN_PIPE


def _run(argv: Sequence[str] | None) -> int:
    try:
        options = make_parser().parse_args(argv)
    except SystemExit as ended:  # --help and --version end by themselves
        return int(ended.code or OK)
    return options.run(options)


# -- arguments -------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def __init__(self, **options: Any) -> None:
        # an abbreviation in somebody's script would forbid us new options
        super().__init__(allow_abbrev=False, **options)

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        from fim_lsp.terminal import writable

        super()._print_message(writable(message, getattr(file, "encoding", None)), file)

    def error(self, message: str) -> NoReturn:
        """Raise the complaint as a ``UsageError``."""
        raise UsageError(f"{message}. Try: {self.prog} --help")


class _Setting(argparse.Action):
    """Collects ``(name, value)`` pairs, whichever option gave them."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Add one pair behind those already there."""
        del parser, option_string
        pair = (str(self.const), values) if self.const else _assignment(str(values))
        before: list[tuple[str, Any]] = getattr(namespace, self.dest, [])
        setattr(namespace, self.dest, [*before, pair])


def _assignment(text: str) -> tuple[str, Any]:
    """``request.max_tokens=64`` as a name and a value, read as TOML, else as a plain text."""
    import tomllib

    name, separator, written = text.partition("=")
    if not separator or not name.strip():
        raise UsageError(f"--set {text!r}: write KEY=VALUE, such as request.max_tokens=64.")
    try:
        value = tomllib.loads(f"value = {written}")["value"]
    except tomllib.TOMLDecodeError:
        value = written
    return name.strip(), value


_EPILOG = """\
examples:
  fim-lsp demo                          watch ghost text; no key, no network
  fim-lsp init                          choose an endpoint and write the settings
  fim-lsp doctor                        what is set, what works, what to do next
  fim-lsp complete src/app.py:12:9      one completion for line 12, column 9
  fim-lsp context src/app.py:12:9       what the model would be given to read there
  fim-lsp stats                         what was accepted, how fast it came, what it cost
  fim-lsp --provider ollama --model qwen2.5-coder:1.5b doctor
  fim-lsp                               the language server, as editors start it

settings come from the editor, these options, and a file:
  {config}
keys are never options: name the variable that holds yours with api_key_env
(ODEUS_API_KEY by itself), or a command that prints it with api_key_command.
"""


def make_parser() -> argparse.ArgumentParser:
    """All commands and options; each command's function is in ``run``."""
    parser = _Parser(
        prog="fim-lsp",
        description="Ghost text from a fill-in-the-middle model, in any editor that speaks LSP.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.format_help = lambda: _help(parser)  # the file's path is looked up for help alone
    parser.add_argument("--version", action="version", version=_version())
    _add_settings(parser, "settings_before")
    _add_serving(parser)
    parser.set_defaults(run=_serve)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=_Parser)
    for add in (
        _add_serve,
        _add_complete,
        _add_context,
        _add_demo,
        _add_doctor,
        _add_init,
        _add_models,
        _add_stats,
        _add_trace,
    ):
        _add_settings(add(commands), "settings_after")
    _add_completion(commands)
    return parser


def _help(parser: argparse.ArgumentParser) -> str:
    from fim_lsp.settings import config_path

    return argparse.ArgumentParser.format_help(parser) + "\n" + _EPILOG.format(config=config_path())


def _version() -> str:
    return f"fim-lsp {__version__} (Python {sys.version.split()[0]})"


def _add_settings(parser: argparse.ArgumentParser, dest: str) -> None:
    """The settings' place on the command line, before or behind the command's name."""
    group = parser.add_argument_group("settings for this run")
    options = {
        "--preset": ("preset", "NAME", "an endpoint by name: odeus, mistral, codestral, ollama…"),
        "--provider": ("provider", "NAME", "mistral, llamacpp, ollama, openai, deepseek, local…"),
        "--base-url": ("base_url", "URL", "the endpoint's address"),
        "--model": ("model", "NAME", "the model's name"),
        "--set": (None, "KEY=VALUE", "any setting, such as request.max_tokens=64; can be repeated"),
    }
    for option, (name, metavar, text) in options.items():
        add = partial(group.add_argument, option, action=_Setting, const=name, help=text)
        add(dest=dest, metavar=metavar, default=argparse.SUPPRESS)


def _add_serving(parser: argparse.ArgumentParser) -> None:
    suppress = argparse.SUPPRESS
    parser.add_argument("--stdio", action="store_true", default=suppress, help=suppress)


def _add_serve(commands: Any) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "serve",
        help="run the language server (what fim-lsp alone does too)",
        description="Run the language server over stdin and stdout, as editors start it.",
    )
    _add_serving(parser)
    parser.add_argument(
        "--tcp",
        type=_port,
        metavar="PORT",
        help="listen there instead, for an editor with the token",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="where to listen with --tcp (default: this machine)"
    )
    parser.add_argument(
        "--trace",
        metavar="FILE",
        help="append one JSON line for each request: source, reason, times; never document text. "
        "See: fim-lsp trace FILE",
    )
    parser.add_argument(
        "--trace-text",
        action="store_true",
        help="write the cursor's line and what is shown into the trace, too",
    )
    parser.set_defaults(run=_serve)
    return parser


def _add_complete(commands: Any) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "complete",
        help="print one completion",
        description="Print what would be inserted before COLUMN of LINE. Both count from 1, as "
        "editors show them; COLUMN counts characters. Where there is nothing, stderr says why.",
    )
    parser.add_argument("place", metavar="FILE:LINE:COLUMN", type=_place)
    parser.add_argument("--json", action="store_true", help="text, tokens and milliseconds as JSON")
    parser.set_defaults(run=_complete)
    return parser


def _add_context(commands: Any) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "context",
        help="print what the model would be given to read",
        description="Print the pieces of other files that would be sent for a place, each with its "
        "source, its rank and its tokens, and what was left out and why. Nothing is sent.",
    )
    parser.add_argument("place", metavar="FILE:LINE:COLUMN", type=_place)
    parser.add_argument(
        "--open",
        action="append",
        default=[],
        metavar="FILE",
        help="as if this file were open, too; may be given several times, the last seen last",
    )
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    parser.set_defaults(run=_context)
    return parser


def _add_demo(commands: Any) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "demo",
        help="watch ghost text in this terminal; needs no key",
        description="Watch the real server help somebody type a small file. Without --provider it "
        "is the embedded model: no key, no network.",
    )
    parser.add_argument("--plain", action="store_true", help="plain lines, no drawing, no colours")
    parser.add_argument("--speed", type=_speed, default=1.0, help="2 is twice as fast (default: 1)")
    parser.set_defaults(run=_demo)
    return parser


def _add_doctor(commands: Any) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "doctor",
        help="find out what works, what does not, and what to do",
        description="Look at the settings, the key, the way to the endpoint and one real "
        "completion. Keys are never shown: the output is safe to paste.",
    )
    parser.add_argument("--json", action="store_true", help="the same as JSON, for bug reports")
    parser.set_defaults(run=_doctor)
    return parser


def _add_init(commands: Any) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "init",
        help="choose an endpoint, try it, and write the settings file",
        description="Ask for the endpoint, the key's place and the model (or take them from these "
        "options), try one completion, and write config.toml. Keys are never written.",
    )
    parser.add_argument(
        "--key-env",
        action=_Setting,
        const="api_key_env",
        dest="settings_after",
        metavar="NAME",
        default=argparse.SUPPRESS,
        help="the environment variable that holds the key",
    )
    parser.add_argument(
        "--from-continue",
        nargs="?",
        const="",
        metavar="FILE",
        help="take the autocomplete model of Continue's config.yaml or config.json",
    )
    parser.add_argument("--force", action="store_true", help="replace the file that is there")
    parser.add_argument("--no-test", action="store_true", help="write without trying a completion")
    parser.set_defaults(run=_init)
    return parser


def _add_models(commands: Any) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "models",
        help="list the endpoint's models",
        description="List the models that the endpoint offers, and which of them can fill in the "
        "middle, as far as it says so.",
    )
    parser.set_defaults(run=_models)
    return parser


def _add_stats(commands: Any) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "stats",
        help="what was shown, accepted and kept, how fast it came, what it cost",
        description="Show what was counted on this machine (and sent to nobody): suggestions "
        "shown, accepted and kept, characters saved, how fast answers came, tokens and cost.",
    )
    parser.add_argument(
        "--days", type=_days, default=30, metavar="N", help="the last N days (default: 30)"
    )
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    parser.add_argument("--html", metavar="FILE", help="write one page with charts, instead")
    parser.set_defaults(run=_stats)
    return parser


def _add_trace(commands: Any) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "trace",
        help="sum up what fim-lsp serve --trace FILE has written",
        description="Say where answers came from, how long they took, why there was nothing, and "
        "which calls were in vain.",
    )
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    parser.set_defaults(run=_trace)
    return parser


def _add_completion(commands: Any) -> None:
    parser = commands.add_parser(
        "completion",
        help="print what makes your shell complete fim-lsp's commands and options",
        description="Print a shell's completion script. For bash, put this into ~/.bashrc: "
        'eval "$(fim-lsp completion bash)"',
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    parser.set_defaults(run=_completion)


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 65_536:
        return int(text)
    raise UsageError(f"--tcp {text!r}: a port is a number from 1 to 65535.")


def _days(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) <= 3660:
        return int(text)
    raise UsageError(f"--days {text!r}: write a number from 1 to 3660.")


def _speed(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0.1 <= float(text) <= 1000:
            return float(text)
    raise UsageError(f"--speed {text!r}: write a number from 0.1 to 1000.")


def _place(text: str) -> tuple[str, int, int]:
    file, *numbers = text.rsplit(":", 2)
    if file and len(numbers) == 2 and all(n.isascii() and n.isdigit() for n in numbers):
        return file, int(numbers[0]), int(numbers[1])
    raise UsageError(f"{text!r} names no place: write FILE:LINE:COLUMN, such as src/app.py:12:9.")


# -- settings --------------------------------------------------------------------------------------


def _overrides(options: argparse.Namespace) -> dict[str, Any]:
    """The command line's settings as a nested table."""
    table: dict[str, Any] = {}
    for dest in ("settings_before", "settings_after"):
        for name, value in getattr(options, dest, []):
            *folders, leaf = name.split(".")
            inner = table
            for folder in folders:
                within: object = inner.setdefault(folder, {})
                if not isinstance(within, dict):
                    raise UsageError(f"--set {name}: {folder} has been given a value already.")
                inner = cast("dict[str, Any]", within)
            inner[leaf] = value
    return table


def _settings(options: argparse.Namespace) -> Settings:
    """The settings in force; a mistake in the file is a warning, one in the options an error."""
    from fim_lsp import settings

    overrides = settings.Layer(source="command line", table=_overrides(options))
    for problem in settings.parse(overrides).problems:
        raise UsageError(problem)
    layer, trouble = settings.read_file(settings.config_path())
    parsed = settings.parse(layer, overrides)
    for line in (*([trouble] if trouble else ()), *parsed.problems):
        _complain(line)
    return parsed.settings


# -- commands --------------------------------------------------------------------------------------


def _serve(options: argparse.Namespace) -> int:
    from fim_lsp.server import serve

    port, traced = getattr(options, "tcp", None), getattr(options, "trace", None)
    with_text = getattr(options, "trace_text", False)
    if with_text and not traced:
        raise UsageError("--trace-text needs --trace FILE.")
    if with_text:
        _complain(f"{traced} will hold your code: give it to nobody who may not see that.")
    start = partial(
        serve,
        overrides=_overrides(options),
        trace=Path(traced) if traced else None,
        trace_text=with_text,
    )
    if port is None:
        if sys.stdin and sys.stdin.isatty():
            _complain("waiting for an editor on stdin. To see it work: fim-lsp demo")
        start()
        return OK
    try:
        start((options.host, port))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"cannot listen on {options.host}:{port} ({reason}): choose another --tcp PORT."
        raise UsageError(message) from None
    return OK


def _complete(options: argparse.Namespace) -> int:
    import asyncio

    from fim_lsp.oneshot import place_in
    from fim_lsp.terminal import visible

    file, line, column = options.place
    settings = _settings(options)
    place = place_in(Path(file), line, column, settings)
    # where text follows on the line, what has come may yet be cut to nothing
    may_grow = not place.context.line_suffix.strip()
    show = _Growing() if sys.stdout.isatty() and may_grow and not options.json else None
    outcome = asyncio.run(_answer(settings, place, show))
    if options.json:
        _print_json(outcome, settings)
    elif show is not None:
        show.end(outcome.text)
    elif outcome.text:
        print(visible(outcome.text) if sys.stdout.isatty() else outcome.text)
    if not outcome.text and not options.json:
        _complain(f"nothing to insert here ({outcome.reason}).")
    sys.stdout.flush()
    return OK


def _context(options: argparse.Namespace) -> int:
    from fim_lsp.context_report import report_on

    file, line, column = options.place
    others = [Path(one) for one in options.open]
    settings = _settings(options)
    print(report_on(Path(file), line, column, settings, others=others, as_json=options.json))
    return OK


async def _answer(settings: Settings, place: Place, show: _Growing | None) -> Outcome:
    from fim_lsp.oneshot import ask_once, prompt_for
    from fim_lsp.providers import registry
    from fim_lsp.providers.local import LocalProvider

    provider = registry.connect(settings)
    try:
        if isinstance(provider, LocalProvider):
            await _learn(provider, settings, place)
        given = None if provider.free else await prompt_for(place, settings)
        return await ask_once(
            provider,
            settings,
            place.context,
            path=place.path,
            given=given,
            on_text=show and show.grow,
        )
    finally:
        await provider.aclose()


async def _learn(provider: LocalProvider, settings: Settings, place: Place) -> None:
    """Let the embedded provider read the project first, as it would have done for an editor."""
    import asyncio

    provider.learn_folder([place.folder], settings.context.exclude)
    context = place.context
    provider.observe(context.uri, context.language, context.prefix + context.suffix)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LEARNING_S):
            while provider.is_learning:  # noqa: ASYNC110 - it learns in a thread
                await asyncio.sleep(0.01)


class _Growing:
    """Prints a text as it grows."""

    def __init__(self) -> None:
        self._printed = ""

    def grow(self, text: str) -> None:
        """Print what is new, if it continues what has been printed."""
        from fim_lsp.terminal import visible

        if text.startswith(self._printed):
            print(visible(text[len(self._printed) :]), end="", flush=True)
            self._printed = text

    def end(self, text: str) -> None:
        """Print the rest; the whole again where it turned out to be another."""
        if not text.startswith(self._printed):
            print("\n---")
            self._printed = ""
        self.grow(text)
        if self._printed:
            print()


def _print_json(outcome: Outcome, settings: Settings) -> None:
    import json

    usage = outcome.usage
    answer = {
        "text": outcome.text,
        "reason": outcome.reason,
        "finish_reason": outcome.finish_reason,
        "usage": usage
        and {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
        },
        "ms": round(outcome.total_ms, 1),
        "provider": settings.effective_provider,
        "model": settings.effective_model,
    }
    print(json.dumps(answer))


def _demo(options: argparse.Namespace) -> int:
    from fim_lsp.demo import run

    return run(_overrides(options), plain=options.plain, speed=options.speed)


def _doctor(options: argparse.Namespace) -> int:
    from fim_lsp.doctor import run

    return run(_overrides(options), as_json=options.json)


def _init(options: argparse.Namespace) -> int:
    from fim_lsp.setup import Wish, run

    named = options.from_continue
    return run(
        Wish(
            overrides=_overrides(options),
            from_continue=named is not None,
            file=Path(named) if named else None,
            force=options.force,
            test=not options.no_test,
        )
    )


def _models(options: argparse.Namespace) -> int:
    import asyncio

    from fim_lsp.providers.listing import offered
    from fim_lsp.terminal import visible

    settings = _settings(options)
    found = asyncio.run(offered(settings))
    words = {True: "fills in the middle", False: "does not fill in the middle", None: ""}
    for model in found:
        in_use = " (in use)" if model.name == settings.effective_model else ""
        print(f"{visible(model.name):<40} {words[model.fills]}{in_use}".rstrip())
    if not found:
        _complain("the endpoint lists no models.")
    return OK


def _stats(options: argparse.Namespace) -> int:
    from datetime import datetime

    from fim_lsp.stats import report
    from fim_lsp.stats.counts import stats_file

    file, settings = stats_file(), _settings(options)
    today = datetime.now().astimezone().date()
    found = report.read(file, days=options.days, today=today, prices=settings.stats.prices)
    if options.json:
        import json

        print(json.dumps(found.as_table(), indent=2))
    elif options.html:
        from fim_lsp.stats.page import page

        _write(Path(options.html), page(found))
    else:
        from fim_lsp.stats import table

        table.show(found, file, sys.stdout)
    if not settings.stats.enabled:
        _complain("nothing is counted now: stats.enabled is false.")
    return OK


def _trace(options: argparse.Namespace) -> int:
    from fim_lsp import trace_summary

    found = trace_summary.summary(trace_summary.read(options.file))
    if options.json:
        import json

        print(json.dumps(found, indent=2))
    else:
        print(trace_summary.readable(found), end="")
    return OK


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror}): name another file."
        raise UsageError(message) from None
    print(f"Written: {path}")


def _completion(options: argparse.Namespace) -> int:
    from fim_lsp.shell_completion import script

    print(script(make_parser(), options.shell))
    return OK


# -- output ----------------------------------------------------------------------------------------


def _complain(line: str) -> None:
    from fim_lsp.terminal import visible

    print(f"fim-lsp: {visible(line)}", file=sys.stderr)


def _print_anything() -> None:
    """Let a terminal that cannot show a character print its code instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _silence_stdout() -> None:
    """Whoever read our output has gone; Python would complain once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
