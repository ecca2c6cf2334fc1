"""The tools of `motionllm mcp`: motion for agents, over the Model Context Protocol."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Annotated, Literal, get_args

from mcp.server.mcpserver import Image, MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BeforeValidator, Field

from hub_scripts.apps.service import MotionAnswer, MotionService, unused_name
from hub_scripts.data.motion_files import load_motion
from hub_scripts.export import save_motion_files
from hub_scripts.export.contact_sheet import draw_contact_sheet
from hub_scripts.hub.version import __version__
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion

__all__ = ["MadeFiles", "make_server"]

_Format = Literal["npz", "bvh", "glb", "mp4", "gif", "png", "html"]
_OrOne = BeforeValidator(lambda value: [value] if isinstance(value, str | int | float) else value)  # of a list
_Formats = Annotated[
    list[_Format],
    _OrOne,
    Field(
        min_length=1,
        description="files to write: npz (joints, to work on with the other tools), bvh, glb (3D programs), mp4, gif, "
        "png (contact sheet), html (viewer)",
    ),
]
_Sentences = Annotated[
    list[str],
    _OrOne,
    Field(description="what the person does, one sentence after another, such as ['a person bows']"),
]
_Seconds = Annotated[
    list[float] | None,
    _OrOne,
    Field(description="how long each sentence lasts, or one number for all; left out: as is typical for the sentence"),
]
_Seed = Annotated[int, Field(ge=0, description="another seed gives another motion; the same one the same")]
_File = Annotated[str, Field(description="a motion file, such as the .npz that generate_motion wrote")]

_INSTRUCTIONS = """\
Human motion from sentences, and sentences from human motion. Write sentences in plain English about one action each,
such as "a person waves with the left hand"; list_actions tells what the model has learnt. `notes` of an answer say what
the model itself sees in the motion ("understood as"): compare it with what was asked for, and try another seed or other
words where they differ. render_picture shows the motion.
"""


@dataclass(frozen=True)
class MadeFiles:
    """What a tool made.

    Args:
        files: what was written.
        seconds: length of the motion.
        people: in it.
        fps: frames per second.
        caption: what was asked for.
        unknown: the probability, by the model, that it has never seen what was asked for, where it says so.
        notes: what the model sees in the motion, and what else is to be said of it.
    """

    files: list[str]
    seconds: float
    people: int
    fps: float
    caption: str | None
    unknown: float | None
    notes: list[str]


@dataclass(frozen=True)
class LearntAction:
    """An action that a model was trained on.

    Args:
        action: its name.
        motions: how many motions showed it.
        example: a sentence that asks for it.
    """

    action: str
    motions: int
    example: str


@dataclass(frozen=True)
class LearntActions:
    """What a model was trained on.

    Args:
        actions: the most frequent first.
    """

    actions: list[LearntAction]


# Clients ask their users before they call what may do harm.
_LOOKS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_MAKES = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
_FILES = "motion://files/"


@contextmanager
def _told() -> Iterator[None]:
    """Bad input is told to the agent as it is; what else goes wrong stays here."""
    try:
        yield
    except (MotionLLMError, OSError) as error:
        raise ToolError(" ".join(str(error).split())) from error


class _Folder:
    """Where the files of a server are.

    Args:
        folder: files are written here.
        alone: read no other files than those in it, for clients who are elsewhere.
    """

    def __init__(self, folder: Path, alone: bool):
        self.folder, self.alone = folder, alone
        self._naming = threading.Lock()

    def find(self, name: str) -> Path:
        """The file of that name, that path, or that resource.

        Raises:
            MotionLLMError: it is elsewhere, and only files of the folder are read.
        """
        name = name.removeprefix(_FILES)
        inside = self.folder / name
        if not self.alone:
            return inside if inside.is_file() else Path(name).expanduser()
        if inside.resolve().parent != self.folder.resolve():
            raise MotionLLMError(f"'{name}' is not in the folder of this server; give the name of a file that it made")
        return inside

    def read(self, name: str) -> tuple[Motion, list[str]]:
        """A motion, and what was found out about its file."""
        notes: list[str] = []
        return load_motion(self.find(name), tell=notes.append), notes

    def shown(self, path: Path) -> str:
        """How a file is called to a client."""
        return path.name if self.alone else str(path)

    def write(self, motion: Motion, stem: str, formats: list[_Format], beside: bool = False) -> list[str]:
        """Write a motion under a name that is free; `beside` others of its name if they have other formats."""
        with self._naming:
            name = unused_name(self.folder, stem, formats if beside else get_args(_Format))
            files = [save_motion_files(motion, self.folder / f"{name}.{suffix}") for suffix in dict.fromkeys(formats)]
        return [self.shown(file) for some in files for file in some]


def make_server(service: MotionService, folder: Path, alone: bool) -> MCPServer:
    """A server with the tools of a checkpoint.

    Args:
        service: makes the motions.
        folder: existing; the tools write here.
        alone: read no files from elsewhere, for clients on other machines. They get files as resources,
            `motion://files/NAME`.
    """
    server = MCPServer("motionllm", version=__version__, instructions=_INSTRUCTIONS, log_level="WARNING")
    files = _Folder(folder.resolve(), alone)

    def written(answer: MotionAnswer, formats: list[_Format]) -> MadeFiles:
        motion = answer.motion
        return MadeFiles(
            files.write(motion, answer.stem, formats),
            round(motion.duration, 3),
            motion.num_people,
            motion.fps,
            motion.caption,
            motion.unknown,
            answer.notes,
        )

    @server.tool(annotations=_MAKES)
    def generate_motion(
        sentences: _Sentences,
        seconds: _Seconds = None,
        people: Annotated[int, Field(ge=1, description="in the scene; with several give one sentence")] = 1,
        parts: Annotated[
            list[str] | None, Field(description="with several people: what each of them does, a sentence for each")
        ] = None,
        seed: _Seed = 0,
        formats: _Formats = ["npz"],  # noqa: B006  read, never changed, and shown in the schema
    ) -> MadeFiles:
        """Make a human motion from sentences, and write it as files."""
        with _told():
            return written(service.generate(sentences, seconds, people=people, parts=parts, seed=seed), formats)

    @server.tool(annotations=_MAKES)
    def continue_motion(
        motion: _File,
        sentences: _Sentences,
        seconds: _Seconds = None,
        seed: _Seed = 0,
        formats: _Formats = ["npz"],  # noqa: B006
    ) -> MadeFiles:
        """Make what the person in a motion does next; the new files begin with the given motion, unchanged."""
        with _told():
            given, notes = files.read(motion)
            answer = service.go_on(given, sentences, seconds, seed)
            return written(MotionAnswer(answer.motion, notes + answer.notes), formats)

    @server.tool(annotations=_MAKES)
    def edit_motion(
        motion: _File,
        sentence: Annotated[str, Field(description="what the person does in the part")],
        start: Annotated[float, Field(ge=0, description="second where the part begins")],
        end: Annotated[float, Field(ge=0, description="second where it ends")],
        seed: _Seed = 0,
        formats: _Formats = ["npz"],  # noqa: B006
    ) -> MadeFiles:
        """Regenerate a part of a motion; the rest stays as it is."""
        with _told():
            given, notes = files.read(motion)
            answer = service.edit(given, sentence, start, end, seed)
            return written(MotionAnswer(answer.motion, notes + answer.notes), formats)

    @server.tool(annotations=_LOOKS)
    def caption_motion(motion: _File) -> str:
        """Describe a motion in a sentence; of one longer than the model can take at once, what is done when."""
        with _told():
            return service.caption(files.read(motion)[0])

    @server.tool(annotations=_MAKES)
    def convert_motion(motion: _File, formats: _Formats) -> list[str]:
        """Write a motion in other formats; returns the files."""
        with _told():
            return files.write(files.read(motion)[0], Path(motion).stem, formats, beside=True)

    @server.tool(annotations=_LOOKS)
    def list_actions() -> Annotated[CallToolResult, LearntActions]:
        """What the model was trained on, the most frequent first, with the number of motions and an example; other
        actions come out as the nearest of these."""
        with _told():
            actions = service.actions()
        lines = [f"{one.action} ({one.motions}): {one.example}" for one in actions]
        text = TextContent(type="text", text="\n".join(lines) or "this checkpoint does not say")
        return CallToolResult(content=[text], structured_content={"actions": [asdict(one) for one in actions]})

    @server.tool(annotations=_LOOKS)
    def render_picture(
        motion: _File,
        panels: Annotated[int, Field(ge=1, le=16, description="moments, from left to right")] = 6,
    ) -> Image:
        """Show a motion as a picture: moments from left to right, left limbs and right limbs in two colours."""
        with _told():
            sheet = draw_contact_sheet(files.read(motion)[0], count=panels)
        data = BytesIO()
        sheet.save(data, format="PNG")
        return Image(data=data.getvalue(), format="png")

    @server.resource(f"{_FILES}{{name}}", mime_type="application/octet-stream")
    def motion_file(name: str) -> bytes:
        """A file that one of the tools wrote, by its name."""
        path = files.folder / name
        if path.resolve().parent != files.folder or not path.is_file():
            raise ResourceNotFoundError(f"there is no file '{name}'")
        return path.read_bytes()

    return server
