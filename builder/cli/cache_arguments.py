"""The options of ``cache``, one set for each of its actions."""

import argparse


def add_actions(parser: argparse.ArgumentParser) -> None:
    """Add what ``cache`` can do to its parser."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    info = actions.add_parser("info", help="what takes the room")
    info.add_argument("--json", action="store_true", help="print it as JSON")
    pruning = actions.add_parser(
        "prune",
        help="remove what nothing needs, or what was not used for long",
        description="Remove what no image that has a name and no usable fact needs, and what "
        "killed builds left; then, when asked to, images and facts that were not used for the "
        "longest time. Prints the names of the images that went.",
    )
    add = pruning.add_argument
    add("--max-size", metavar="SIZE", help="until no more than this is left: 5GB, 500MB, 2GiB")
    add("--older-than", metavar="AGE", help="all that was not used for so long: 30m, 12h, 7d")
    _add_cache_options(pruning)
    verifying = actions.add_parser(
        "verify",
        help="read every blob, and remove what is damaged",
        description="Read every blob and compare it with its digest, look whether every image is "
        "complete and every fact can be read; remove what is not. The exit code is 1 when anything "
        "was found.",
    )
    _add_cache_options(verifying)


def _add_cache_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--dry-run", action="store_true", help="only say what would be removed")
    add(
        "--no-wait",
        action="store_false",
        dest="wait",
        help="fail when builds are at work, instead of waiting until they are done",
    )
    add("--json", action="store_true", help="print the result as JSON")
