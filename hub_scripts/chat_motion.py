"""`motionllm chat`: a motion in a conversation."""

import argparse
import sys
from collections.abc import Sequence

from hub_scripts.chat.help import HELP
from hub_scripts.options.checkpoint import add_model_arguments
from hub_scripts.options.engine import add_engine_arguments, is_server
from modeling_motionllm.errors_motionllm import MotionLLMError

__all__ = ["main"]

_EPILOG = f"""\
what can be said:
{HELP}

examples: motionllm chat
          motionllm chat "make her walk" slower "now bow at the end" "what is she doing?" "save it for Blender"
          motionllm chat --replay out/chat.json
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="motionllm chat",
        description="Make a motion in a conversation: say what somebody should do, then what to change. Every answer "
        "says what was done, what the model itself sees in the motion, and where the files are. The "
        "conversation is kept in the output folder, as chat.json, and can be replayed.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("message", nargs="*", help="requests, one after another (default: what you type)")
    parser.add_argument(
        "--replay",
        metavar="FILE",
        help="repeat a conversation (chat.json), then continue it, by messages or in a terminal",
    )
    parser.add_argument(
        "--planner",
        metavar="URL",
        help="let a language model plan, through a server with OpenAI's API, such as http://127.0.0.1:8000/v1; a key "
        "is read from $OPENAI_API_KEY (default: rules over English)",
    )
    parser.add_argument(
        "--planner-model", metavar="NAME", help="with --planner: the model's name there (default: the first)"
    )
    parser.add_argument("-o", "--output-dir", default="out", help="folder for the files (default out/)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first motion; others count up (default 0)")
    add_model_arguments(parser)
    add_engine_arguments(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Run `motionllm chat`; returns 2 where a request on the command line or from a pipe was not done.

    Raises:
        MotionLLMError: no such checkpoint, folder, planner or conversation, or one that cannot be replayed.
    """
    args = _parser().parse_args(argv)
    if args.seed < 0:
        raise MotionLLMError(f"--seed is {args.seed}; give 0 or more")
    if args.planner is None and args.planner_model is not None:
        raise MotionLLMError(f"--planner-model is '{args.planner_model}', and there is no --planner; give both")
    if args.planner is not None and not is_server(args.planner):
        raise MotionLLMError(f"--planner is '{args.planner}'; give an address such as http://127.0.0.1:8000/v1")
    from hub_scripts.apps.service import MotionService
    from hub_scripts.chat.conversation import Conversation, read_conversation
    from hub_scripts.chat.endpoint import EndpointPlanner
    from hub_scripts.chat.planning import Planner
    from hub_scripts.chat.rules import plan_by_rules
    from hub_scripts.chat.talk import Talk, typed_lines
    from modeling_motionllm.files_motionllm import ensure_folder

    turns = None if args.replay is None else read_conversation(args.replay)
    service = MotionService.of_arguments(args)
    planner: Planner = plan_by_rules if args.planner is None else EndpointPlanner(args.planner, args.planner_model)
    talk = Talk(Conversation(service, ensure_folder(args.output_dir), args.seed), planner)
    if turns is not None:
        talk.replay(*turns, args.replay)
    typed = not args.message and sys.stdin is not None and sys.stdin.isatty()
    if args.message:
        done = talk.go_on(args.message)
    elif typed:
        service.load_in_background()
        print("Say what somebody is to do, such as: make her walk. (help, quit)")
        talk.go_on(typed_lines(), echo=False)
        done = True
    else:
        done = turns is not None or talk.go_on(line.strip() for line in sys.stdin if line.strip())
    if talk.conversation.turns:
        print(f"the conversation: {talk.record}")
    return 0 if done else 2
