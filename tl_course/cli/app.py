"""The command ``tl-course``: one thin function a command over the package's own functions.

What a person reads goes to standard error where ``--json`` is given, so that standard output is one JSON object.
"""

import argparse
import io
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tl_course import __version__
from tl_course.cli.common import add_command, give
from tl_course.cli.grading import add_grading
from tl_course.core.names import printable_lines
from tl_course.errors import TLCourseError, TLCourseWarning

if TYPE_CHECKING:
    from tl_course.data.imageset import ImageSet

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 it could not be done or a lesson failed, 2 misspelt.

    Parameters
    ----------
    arguments : sequence of str, optional
        The words after ``tl-course``; the command line's own if None.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names that the terminal's encoding does not have
    options = _parser().parse_args(arguments)
    warnings.showwarning = _show_warning
    warnings.simplefilter("always", TLCourseWarning)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except TLCourseError as error:
        print(f"tl-course: {printable_lines(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ntl-course: stopped. What was written is kept, and the same command goes on.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        sys.stderr.close()
        return 1


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    if issubclass(category, TLCourseWarning):  # those of other libraries are for developers
        print(f"warning: {printable_lines(str(message))}", file=sys.stderr)


def _open(options: argparse.Namespace) -> "ImageSet":
    """The data set that the words mean."""
    from tl_course.data.imageset import ImageSet

    return ImageSet.open(options.images, **_how(options))


def _how(options: argparse.Namespace) -> dict[str, Any]:
    """What the words say about how a folder is meant, as `ImageSet.open` takes it."""
    from tl_course.errors import ImageSetError

    columns = {}
    for text in options.column:
        name, _, theirs = text.partition("=")
        if name not in ("file_name", "label", "split") or not (theirs or name == "split"):
            raise ImageSetError(
                f"--column {text}: give file_name=NAME, label=NAME or split=NAME, a column of the table."
            )
        columns[name] = theirs
    return {"label_from": options.label_from, "table": options.table, "columns": columns}


# ---- the commands ----------------------------------------------------------------------------------------------------


def _train(options: argparse.Namespace) -> int:
    from tl_course.data.imageset import ImageSet
    from tl_course.training.trainer import train

    images = _open(options)
    model = train(
        images,
        strategy=options.strategy,
        backbone=options.backbone,
        views=options.views,
        pooling=options.pooling,
        balanced=options.balanced,
        test=ImageSet.open(options.test) if options.test else None,
        epochs=options.epochs,
        device=options.device,
        seed=options.seed,
        progress=not options.json,
    )
    out = str(model.save(options.out)) if options.out else None
    metrics = model.metrics
    values = {
        **metrics,
        "labels": model.labels,
        "backbone": model.backbone.name,
        "weights": model.backbone.weights,
        "strategy": model.strategy,
        "device": options.device,
        "seed": options.seed,
        "skipped": [{"file_name": name, "reason": reason} for name, reason in images.skipped],
        "model": out,
    }
    lines = [
        f"{model.strategy}: {model.backbone.name} ({model.backbone.weights})",
        f"trained on {metrics['n_train']} pictures of {', '.join(model.labels)} in {metrics['seconds']:.1f} s, "
        f"after {metrics['loading_seconds']:.1f} s of loading libraries and weights",
        f"accuracy {metrics['accuracy']:.3f}, balanced {metrics['balanced_accuracy']:.3f} "
        f"on {metrics['n_test']} pictures of {metrics['tested_on']}",
    ]
    if "cross_validated_accuracy" in metrics:
        lines.append(f"accuracy {metrics['cross_validated_accuracy']:.3f} by cross-validation on the training pictures")
    if out:
        lines.append(f"saved in {out}; try it: tl-course predict {out} PICTURE")
    give(options, values, "\n".join(lines))
    return 0


def _predict(options: argparse.Namespace) -> int:
    from tl_course.models.classifier import Classifier

    model = Classifier.load(options.model)
    predictions = model.predict(options.files, device=options.device, progress=not options.json)
    values = {
        "labels": model.labels,
        "predictions": [
            {"file": p.source, "label": p.label, "confidence": p.confidence, "probabilities": p.probabilities}
            for p in predictions
        ],
    }
    give(options, values, "\n".join(map(str, predictions)))
    return 0


def _suspects(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from tl_course.cleaning.issues import Suspects
    from tl_course.errors import ImageSetError

    if options.n < 1:
        raise ImageSetError(f"{options.n} pictures cannot be listed: give --n 1 or more.")
    examined = Suspects(_open(options), backbone=options.backbone, device=options.device, progress=not options.json)
    ranked = examined.rank()
    rows = [asdict(one) for one in ranked]
    if options.csv:
        import pandas as pd

        table = pd.DataFrame(rows)
        for column in ("neighbours", "kinds"):  # any separator of our own could stand in a file name
            table[column] = [json.dumps(names, ensure_ascii=False) for names in table[column]]
        try:
            table.to_csv(options.csv, index=False)
        except OSError as error:
            raise ImageSetError(f"{options.csv} could not be written: {error.strerror or error}.") from None
    values = {"accuracy": examined.accuracy, "suspects": rows}
    lines = [
        f"{one.score:.2f}  {one.file_name}  {one.label!r}: {one.reason}" for one in ranked[: options.n] if one.reason
    ]
    give(options, values, "\n".join(lines or ["Nothing looks wrong."]))
    return 0


def _run(options: argparse.Namespace) -> int:
    from tl_course.notebooks import parse_parameters, run_lessons

    run = run_lessons
    if options.cluster:
        from functools import partial

        from tl_course.notebooks.cluster import run_on_cluster

        run = partial(run_on_cluster, cluster=options.cluster)
    report = run(
        options.lessons,
        out=options.out,
        parameters=parse_parameters(options.param),
        source=options.source,
        device=options.device,
        cell_timeout=options.cell_timeout,
        timeout=options.timeout,
        enforce_budgets=options.enforce_budgets,
    )
    if options.json:
        print(f"{report}\n", file=sys.stderr)
    give(options, report.to_json(), str(report))
    return 0 if report.ok else 1


def _lab(options: argparse.Namespace) -> int:
    from tl_course.notebooks import open_lab

    return open_lab(options.lesson)


def _doctor(options: argparse.Namespace) -> int:
    from tl_course.cli.doctor import examine

    report = examine()
    give(options, report.to_json(), str(report))
    return 0 if report.ok else 1


def _cache(options: argparse.Namespace) -> int:
    from tl_course.core.caches import KINDS, contents, readable
    from tl_course.core.files import cache_dir

    entries, kinds, lines = contents(), [], []
    for kind, its in KINDS.items():
        if some := [one for one in entries if one.kind == kind]:
            size = sum(one.bytes for one in some)
            kinds.append({"kind": kind, "n": len(some), "bytes": size})
            lines.append(f"{readable(size):>9}  {kind}: {its.what} ({len(some)})")
    total = sum(one.bytes for one in entries)
    lines.append(f"{readable(total):>9}  in all, in {cache_dir()}. It can all be made again.")
    lines += ["To free some of it: tl-course cache prune --dry-run, and without --dry-run"] * bool(entries)
    values = {"folder": str(cache_dir()), "bytes": total, "kinds": kinds, "entries": [one.to_json() for one in entries]}
    give(options, values, "\n".join(lines))
    return 0


def _cache_prune(options: argparse.Namespace) -> int:
    from tl_course.core.caches import KINDS, bytes_meant, prune

    done = prune(
        days=0 if options.all else options.days,
        at_most=0 if options.all else bytes_meant(options.max_size),
        kinds=options.kind or KINDS,
        dry_run=options.dry_run,
    )
    give(options, done.to_json(), str(done))
    return 0


def _images_info(options: argparse.Namespace) -> int:
    images = _open(options)
    values = {
        "name": images.name,
        "folder": str(images.root),
        "layout": images.layout,
        "n": len(images),
        "labels": images.labels,
        "counts": images.counts(),
        "dropped": len(images.dropped),
        "edits": len(images.journal),
        "skipped": [{"file_name": name, "reason": reason} for name, reason in images.skipped],
    }
    give(options, values, f"{images}\n  read as: {images.layout}")
    return 0


def _images_render(options: argparse.Namespace) -> int:
    from tl_course.synthetic.rendering import render_dataset

    images = render_dataset(
        options.name,
        options.out,
        n=options.n,
        seed=options.seed,
        size=options.size,
        valid=options.valid,
        sound_valid=options.sound_valid,
        wrong_labels=options.wrong_labels,
        near_duplicates=options.near_duplicates,
        off_topic=options.off_topic,
        threshold=options.threshold,
    )
    give(options, {"folder": str(images.root), "n": len(images), "counts": images.counts()}, f"{images}\n{images.root}")
    return 0


def _images_collect(options: argparse.Namespace) -> int:
    from tl_course.core.progress import Bar
    from tl_course.sources.base import Progress
    from tl_course.sources.menu import source_of

    source = source_of(options.source, api=options.api, sha256=options.sha256, **_how(options))
    pairs = [text.partition("=") for text in options.labels]
    labels = {label: query or label for label, _, query in pairs} or None
    n = options.n if options.n is not None or not source.endless else 40
    with Bar("collecting", n * len(labels) if n and labels else None, show=not options.json) as bar:

        def show(step: Progress) -> None:
            bar.update(bool(step.file_name))

        report = None
        for label in (labels or {}) if source.name == "camera" else ():  # it is pointed at one thing after the other
            print(f"\nPoint the camera at {label!r} and press Enter.", file=sys.stderr)
            sys.stdin.readline()
            report = source.collect([label], n, options.out, progress=show)
            if report.interrupted:
                break
        if report is None or not report.interrupted:
            report = source.collect(labels, n, options.out, progress=show)
    values = {
        "folder": str(report.folder),
        "source": source.name,
        "wanted": report.wanted,
        "counts": report.counts,
        "kept": report.kept,
        "passed_over": [{"url": url, "reason": reason} for url, reason in report.passed_over],
        "problems": report.problems,
        "complete": report.complete,
        "interrupted": report.interrupted,
    }
    trainable = sum(count > 1 for count in report.counts.values()) > 1
    give(options, values, f"{report}\nNext: tl-course train {options.out}" if trainable else str(report))
    if report.interrupted:
        return 130
    return 0 if all(report.counts.values()) else 1


def _images_pack(options: argparse.Namespace) -> int:
    digest = _open(options).pack(options.out)
    give(options, {"pack": options.out, "sha256": digest}, f"{options.out}\nsha256 {digest}")
    return 0


# ---- the words they take ---------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tl-course", description="A course and teaching kit on transfer learning.")
    parser.add_argument("--version", action="version", version=f"tl-course {__version__}")
    json_option = argparse.ArgumentParser(add_help=False)
    json_option.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    device = argparse.ArgumentParser(add_help=False)
    device.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to compute (auto)")
    # The default is repeated here rather than imported: the help has to come at once.
    images = {
        "metavar": "IMAGES",
        "help": "a folder of class folders, a data set folder, a zip or its address, or a set's name, such as birds",
    }

    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    one = add_command(commands, "train", _train, "train a classifier on a folder of pictures", device, json_option)
    _add_set(one, images)
    one.add_argument("--test", metavar="IMAGES", help="measure on these and train on all of IMAGES")
    one.add_argument(
        "--strategy", choices=("frozen", "fine-tune", "gradual", "scratch"), default="frozen", help="(frozen)"
    )
    one.add_argument(
        "--backbone", default="tf_efficientnet_lite0", metavar="NAME",
        help="a timm name, or the folder of a model of your own to transfer (%(default)s)",
    )  # fmt: skip
    one.add_argument("--views", type=int, metavar="N", help="views of each picture to average, 1 to 6 (1)")
    one.add_argument("--pooling", choices=("avg", "gem"), help="gem: small things in a picture count for more (avg)")
    one.add_argument("--balanced", action="store_true", help="let every label count alike, however few its pictures")
    one.add_argument("--epochs", type=int, metavar="N", help="passes over the pictures (each strategy has its default)")
    one.add_argument("--seed", type=int, default=0, help="of everything random (0)")
    one.add_argument("--out", metavar="DIR", help="save the model in this folder")

    one = add_command(commands, "predict", _predict, "predict the labels of pictures", device, json_option)
    one.add_argument("model", metavar="MODEL", help="the folder of a saved model")
    one.add_argument("files", metavar="FILES", nargs="+", help="pictures, or folders of pictures")

    one = add_command(
        commands, "suspects", _suspects, "list the pictures that look wrong, and why", device, json_option
    )
    _add_set(one, images)
    one.add_argument(
        "--backbone", default="tf_efficientnet_lite0", metavar="NAME",
        help="whose features: a timm name, or the folder of a model of your own (%(default)s)",
    )  # fmt: skip
    one.add_argument("--n", type=int, default=30, metavar="N", help="how many to list (30); --json and --csv have all")
    one.add_argument("--csv", metavar="FILE", help="write all as a table; neighbours and kinds are JSON lists in it")

    one = add_command(
        commands, "run", _run, "run lessons without a browser and hold them to their budgets", device, json_option
    )
    one.add_argument("lessons", metavar="LESSON", nargs="*", help="names, such as 01_birds, or paths (all lessons)")
    one.add_argument("--source", metavar="IMAGES", help="where the lesson takes its pictures from")
    one.add_argument("--param", metavar="NAME=VALUE", action="append", default=[], help="set a lesson's parameter")
    one.add_argument("--out", metavar="DIR", help="where reports and executed lessons go (./runs)")
    one.add_argument("--cluster", metavar="ADDRESS", help="side by side on a Dask cluster; local: one started here")
    one.add_argument("--timeout", type=float, default=7200, metavar="S", help="seconds a lesson may take (7200)")
    one.add_argument("--cell-timeout", type=float, default=1800, metavar="S", help="seconds a cell may take (1800)")
    budgets = one.add_mutually_exclusive_group()
    budgets.add_argument(
        "--enforce-budgets", action="store_true", default=None,
        help="fail for CPU seconds too, by this machine's measured speed (without it, slow is only said)",
    )  # fmt: skip
    budgets.add_argument(
        "--no-budgets", dest="enforce_budgets", action="store_false", default=None, help="fail for no budget at all"
    )

    one = add_command(commands, "lab", _lab, "open the lessons in JupyterLab")
    one.add_argument("lesson", metavar="LESSON", nargs="?", help="open this one")

    one = add_command(
        commands, "cache", _cache, "list what is kept for the next time, and how large it is", json_option
    )
    _add_cache(one.add_subparsers(title="commands", metavar="COMMAND"))

    add_command(
        commands, "doctor", _doctor, "say what this machine has: packages, device, backbones, folders", json_option
    )

    add_grading(commands, json_option)
    group = commands.add_parser("images", help="collect, draw, look at and pack data sets")
    _add_images(group.add_subparsers(title="commands", required=True, metavar="COMMAND"), images, json_option)
    return parser


def _add_cache(verbs: Any) -> None:
    one = add_command(verbs, "prune", _cache_prune, "free what was not used for long, and what is too much")
    one.add_argument("--days", type=float, default=90, metavar="N", help="what was unused for longer goes (90)")
    one.add_argument(
        "--max-size",
        default="5GB",
        metavar="SIZE",
        help="then the longest unused, until this much is left (5GB)",
    )
    one.add_argument("--all", action="store_true", help="everything, whenever it was used")
    one.add_argument("--kind", action="append", metavar="KIND", help="only this kind, as listed; may be repeated")
    one.add_argument("--dry-run", action="store_true", help="say what would go, and remove nothing")
    # Not the shared option: its default would take back a --json that stands before "prune".
    one.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object and nothing else"
    )


def _add_images(verbs: Any, images: dict[str, str], json_option: argparse.ArgumentParser) -> None:
    one = add_command(verbs, "info", _images_info, "say what is in a data set", json_option)
    _add_set(one, images)
    one = add_command(verbs, "render", _images_render, "draw a data set whose truth is known", json_option)
    one.add_argument("name", metavar="NAME", help="which set: birds, doors, cats_dogs, animals, patterns")
    one.add_argument("out", metavar="DIR", help="a new folder")
    one.add_argument("--n", type=int, default=400, help="number of pictures (400)")
    one.add_argument("--seed", type=int, default=0, help="another seed, other pictures (0)")
    one.add_argument("--size", type=int, default=256, help="side in pixels (256)")
    one.add_argument("--valid", type=float, default=0.2, metavar="SHARE", help="share to validate on (0.2)")
    one.add_argument(
        "--sound-valid", action="store_true", help="wrong labels and off-topic only among training pictures"
    )
    for flaw in ("wrong-labels", "near-duplicates", "off-topic"):
        one.add_argument(f"--{flaw}", type=float, default=0.0, metavar="SHARE", help="share to plant, 0 to 1 (0)")
    one.add_argument("--threshold", type=float, metavar="DEGREES", help="doors: from which angle on one is open (20)")
    one = add_command(verbs, "collect", _images_collect, "collect pictures for labels into a data set", json_option)
    one.add_argument("out", metavar="DIR", help="the data set's folder, a new one or one to add to")
    one.add_argument(
        "labels",
        metavar="LABEL[=QUERY]",
        nargs="*",
        help="a label, and what to search for: open='open door' (all labels that a folder or zip has)",
    )
    one.add_argument(
        "--source",
        default="openverse",
        metavar="SOURCE",
        help="openverse, commons, web, public, rendered, camera; the path of a folder; a zip's path or address "
        "(%(default)s)",
    )
    one.add_argument("--n", type=int, metavar="N", help="pictures each label shall have (40; all of a folder or zip)")
    one.add_argument("--api", metavar="URL", help="another address of openverse, commons or public, such as a mirror")
    one.add_argument("--sha256", metavar="HEX", help="what a zip must have")
    _add_how(one)
    one = add_command(verbs, "pack", _images_pack, "write a data set as one zip and print its sha256", json_option)
    _add_set(one, images)
    one.add_argument("out", metavar="ZIP", help="the zip to write")


def _add_set(one: Any, images: dict[str, str]) -> None:
    one.add_argument("images", **images)
    _add_how(one)


def _add_how(one: Any) -> None:
    group = one.add_argument_group("how a folder or zip is meant, where it is refused without")
    group.add_argument(
        "--label-from", metavar="PATTERN", help="names of files carry the label: (?P<label>…) in a regular expression"
    )
    group.add_argument("--table", metavar="FILE", help="the table in the folder that says the labels")
    group.add_argument(
        "--column", metavar="WHICH=NAME", action="append", default=[],
        help="a column of the table: file_name=NAME, label=NAME or split=NAME",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
