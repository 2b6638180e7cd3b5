"""The door of the `jaxcnn` command: which subcommand, and what its errors look like."""

import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import tyro

from jaxcnn.cli import (
    augment,
    bench,
    check,
    compiled,
    completion,
    data,
    doctor,
    eval,
    export,
    import_,
    models,
    platforms,
    predict,
    report,
    serve,
    show,
    summary,
    sweep,
    train,
    tune,
    verify,
)
from jaxcnn.cli.evaluated import Evaluated
from jaxcnn.cli.options import REGISTRY
from jaxcnn.cli.streams import for_any_console, print_line, told

# The function that refused something, before its reason.
_FUNCTION = "^(create|load|heat_maps|grad_cam|grad_cam_plus_plus|guided_backprop|deconvnet): "
DESCRIPTION = "Convolutional networks whose backward passes are written by hand and proven."
COMMANDS = (
    Annotated[train.TrainOptions, tyro.conf.subcommand("train")]
    | Annotated[eval.EvalOptions, tyro.conf.subcommand("eval")]
    | Annotated[report.ReportOptions, tyro.conf.subcommand("report")]
    | Annotated[predict.PredictOptions, tyro.conf.subcommand("predict")]
    | Annotated[serve.ServeOptions, tyro.conf.subcommand("serve")]
    | Annotated[import_.ImportOptions, tyro.conf.subcommand("import")]
    | Annotated[export.ExportOptions, tyro.conf.subcommand("export")]
    | Annotated[models.ModelsOptions, tyro.conf.subcommand("models")]
    | Annotated[summary.SummaryOptions, tyro.conf.subcommand("summary")]
    | Annotated[check.CheckOptions, tyro.conf.subcommand("check")]
    | Annotated[augment.AugmentOptions, tyro.conf.subcommand("augment")]
    | Annotated[verify.VerifyOptions, tyro.conf.subcommand("verify")]
    | Annotated[show.ShowOptions, tyro.conf.subcommand("show")]
    | Annotated[data.DataOptions, tyro.conf.subcommand("data")]
    | Annotated[bench.BenchOptions, tyro.conf.subcommand("bench")]
    | Annotated[tune.TuneOptions, tyro.conf.subcommand("tune")]
    | Annotated[doctor.DoctorOptions, tyro.conf.subcommand("doctor")]
    | Annotated[completion.CompletionOptions, tyro.conf.subcommand("completion")]
)
RUN: dict[type, Callable[[Any], int]] = {
    train.TrainOptions: train.run,
    sweep.SweepOptions: sweep.run,
    eval.EvalOptions: eval.run,
    report.ReportOptions: report.run,
    predict.PredictOptions: predict.run,
    serve.ServeOptions: serve.run,
    import_.ImportOptions: import_.run,
    export.ExportOptions: export.run,
    models.ModelsOptions: models.run,
    summary.SummaryOptions: summary.run,
    check.CheckOptions: check.run,
    augment.AugmentOptions: augment.run,
    verify.VerifyOptions: verify.run,
    show.ShowOptions: show.run,
    data.DataOptions: data.run,
    bench.BenchOptions: bench.run,
    tune.TuneOptions: tune.run,
    doctor.DoctorOptions: doctor.run,
    completion.CompletionOptions: completion.run,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `jaxcnn` with `arguments` (the process's own by default) and exit.

    Exit codes: 0 done; 1 a check failed, training diverged, or a picture can't be read; 2 bad input; 3 another process
    of the run is gone; 130 stopped by Ctrl-C, 143 by SIGTERM, 129 by the end of its terminal (SIGHUP), 141 by that of
    the pipe that it writes into. An error or warning is one line on stderr; with JAXCNN_TRACEBACK=1 in the environment
    an error is Python's traceback instead. Only words that are no options of the command, or no values of their type,
    get a longer explanation.
    """
    options: Any = None
    with for_any_console(), warnings.catch_warnings():
        warnings.showwarning = lambda message, *where: print_line("warning", str(message))
        try:
            options = sweep.parsed(sys.argv[1:] if arguments is None else list(arguments), parse)
            if not isinstance(options, bench.BenchOptions | verify.VerifyOptions):  # one times it, one makes thousands
                compiled.keep()
            sys.exit(RUN[type(options)](options))
        except BrokenPipeError:
            raise
        except (ValueError, OSError, FloatingPointError) as error:
            if os.environ.get("JAXCNN_TRACEBACK"):
                raise
            message = re.sub(_FUNCTION, "", told(error))
            told_by_library = train.TrainOptions | data.DataOptions | Evaluated | predict.PredictOptions
            kind = train.TrainOptions if options is None else type(options)
            print_line("error", train.in_options(message, kind) if issubclass(kind, told_by_library) else message)
            exit_code = 1 if isinstance(error, FloatingPointError) else 2
            if "jaxcnn.train.hosts" in sys.modules:
                sys.modules["jaxcnn.train.hosts"].leave(exit_code)
            sys.exit(exit_code)
        except (RuntimeError, AssertionError):
            refused = platforms.refused()
            if refused is None or os.environ.get("JAXCNN_TRACEBACK"):
                raise
            print_line("error", "; ".join(refused) + ".")
            sys.exit(2)
        except KeyboardInterrupt as interrupt:
            print_line("error", str(interrupt) or "stopped.")
            sys.stdout.flush()
            # In the midst of a compilation by XLA Python's own way out would crash.
            os._exit(getattr(interrupt, "exit_code", 130))


def parse(arguments: Sequence[str]) -> Any:
    """The options of the command that `arguments` name. Exits with 0 for --help, and with 2 where they are none."""
    flags = (tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes)
    return tyro.cli(COMMANDS, prog="jaxcnn", description=DESCRIPTION, args=arguments, config=flags, registry=REGISTRY)
