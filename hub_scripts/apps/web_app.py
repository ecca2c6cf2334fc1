"""The web app: sentences to motion and back, in the browser."""

import html
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import gradio as gr
from fastapi import FastAPI

from hub_scripts.apps.service import MotionAnswer, MotionService
from hub_scripts.data.motion_files import load_motion
from hub_scripts.export import find_writer, save_motion_files
from hub_scripts.export.html_viewer import embed_html
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion

__all__ = ["make_app", "make_site"]

_LARGEST_UPLOAD = 20 << 20  # bytes
_READ = [".npz", ".npy", ".bvh", ".glb", ".gltf", ".vrma"]  # what is in one file
_QUICK = (".npz", ".amass.npz", ".bvh", ".glb", ".vrma", ".usd", ".html", ".png")
_SLOW = (".mp4", ".gif", ".fbx")  # of some seconds each: made when they are asked for
_LONGEST_SHOWN = 60.0  # seconds, of an upload: what follows is made of all of it
_KEPT_SECONDS = 3600.0  # that files wait for their download
_WAITING = 100  # requests
_EXAMPLES = 6  # and one of several sentences
_VIEWER_HEIGHT = 460  # pixels
_STYLE = """
.gradio-container {max-width: 1200px !important; margin: 0 auto}
#stage .prose, #stage .html-container {width: 100%; padding: 0}
.empty-stage {height: 460px; display: flex; align-items: center; justify-content: center; text-align: center;
  border-radius: 8px; background: #12182b; color: #9aa6c4}
#stage iframe {display: block; border-radius: 8px}
#files .label-clear-button {display: none}
"""
# Where the player is below what is clicked, as on a phone, it comes into sight.
_LOOK = "() => {document.querySelector('#stage').scrollIntoView({behavior: 'smooth', block: 'nearest'})}"
_EMPTY = '<div class="empty-stage">The motion will play here.</div>'


@contextmanager
def _told() -> Iterator[None]:
    """Bad input is shown in the page as one line; the words in it stay words."""
    try:
        yield
    except MotionLLMError as error:
        line = html.escape(" ".join(str(error).split()))
        raise gr.Error(line, title="That cannot be done", print_exception=False) from error


def _sentences(text: str) -> list[str]:
    """The lines of the box; at least one, which the service refuses where it is empty."""
    return [line.strip() for line in text.splitlines() if line.strip()] or [""]


def _can_write(suffix: str) -> bool:
    """Whether the packages and programs that a format needs are here."""
    try:
        return suffix == ".npz" or callable(find_writer(suffix))
    except MotionLLMError:
        return False


# Player, notes, motion and files; the files are made after the rest is shown.
_Shown: TypeAlias = tuple[str, str, Motion | None, list[str] | None]


class _Page:
    """What the buttons do.

    Args:
        service: makes the motions.
    """

    def __init__(self, service: MotionService):
        self.service = service
        self._folder = tempfile.TemporaryDirectory(prefix="motionllm-app-")  # goes with the app
        self.files = Path(self._folder.name)
        self.quick, self.slow = ([suffix for suffix in some if _can_write(suffix)] for some in (_QUICK, _SLOW))

    def generate(
        self,
        text: str,
        seconds: float | None,
        seed: float | None,
        people: int | None,
        parts: str | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008  gradio finds it by its default
    ) -> _Shown:
        """Make a motion; fields that are not shown come as None."""
        progress(None, desc="thinking")
        told = _sentences(parts) if parts and parts.strip() else None
        with _told():
            answer = self.service.generate(
                _sentences(text),
                seconds or None,
                people=int(people or 1),
                parts=told,
                seed=_seed(seed),
                progress=lambda done: progress((round(done), None), unit="seconds of motion"),
            )
        return self._shown(answer)

    def go_on(self, motion: Motion | None, text: str, seconds: float | None, seed: float | None) -> _Shown:
        """What the person in the motion does next."""
        with _told():
            given = _there(motion)
            return self._shown(self.service.go_on(given, _sentences(text), seconds or None, _seed(seed)))

    def edit(
        self, motion: Motion | None, text: str, start: float | None, end: float | None, seed: float | None
    ) -> _Shown:
        """A part of the motion, made anew."""
        with _told():
            if start is None or end is None:
                raise MotionLLMError("there is no part to make anew; give the seconds where it begins and ends")
            return self._shown(self.service.edit(_there(motion), " ".join(_sentences(text)), start, end, _seed(seed)))

    def describe(self, motion: Motion | None) -> str:
        """What the model sees in the motion."""
        with _told():
            return f"described as: {self.service.caption(_there(motion))}"

    def read(self, path: str | None) -> _Shown:
        """Show a motion from a file."""
        if path is None:
            return _EMPTY, "", None, None
        notes: list[str] = []
        with _told():
            motion = load_motion(path, tell=notes.append)
            if motion.duration > _LONGEST_SHOWN:
                raise MotionLLMError(f"the motion lasts {motion.duration:.0f} s; cut it to {_LONGEST_SHOWN:g} s")
        return self._shown(MotionAnswer(motion, notes))

    def write(self, motion: Motion | None) -> list[str]:
        """Files of the motion that are there at once."""
        return [] if motion is None else self._write(motion, self.quick)

    def write_all(self, motion: Motion | None) -> list[str]:
        """All its files."""
        with _told():
            return self._write(_there(motion), [*self.quick, *self.slow])

    def _write(self, motion: Motion, suffixes: list[str]) -> list[str]:
        for old in self.files.iterdir():
            if time.time() - old.stat().st_mtime > _KEPT_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(dir=self.files))
        stem = MotionAnswer(motion, []).stem
        with _told():
            return [str(file) for end in suffixes for file in save_motion_files(motion, folder / f"{stem}{end}")]

    def _shown(self, answer: MotionAnswer) -> _Shown:
        motion = answer.motion
        people = "1 person" if motion.num_people == 1 else f"{motion.num_people} people"
        lines = [f"{motion.duration:.1f} s, {people}, {motion.fps:g} frames per second"]
        if motion.unknown is not None:
            lines.append(f"unknown: {motion.unknown:.2f} (how likely the model has never seen this)")
        return embed_html(motion, _VIEWER_HEIGHT), "\n".join([*lines, *answer.notes]), motion, None


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _seed(value: float | None) -> int:
    if value is None or value != int(value):
        raise MotionLLMError(f"the seed is {value}; give a whole number from 0 on")
    return int(value)


def _there(motion: Motion | None) -> Motion:
    if motion is None:
        raise MotionLLMError("there is no motion yet; make one or upload one first")
    return motion


def _examples(service: MotionService) -> list[str]:
    """Sentences that the model knows: the most frequent ones, each of another verb, and some one after another."""
    verbs: dict[str, str] = {}
    for one in service.actions():
        if one.example:
            verbs.setdefault(one.action.split("-")[0], one.example)
    told = list(verbs.values())[:_EXAMPLES]
    return [*told, "\n".join(told[:3])] if service.processor.tells_turns and len(told) > 1 else told


def make_app(service: MotionService) -> gr.Blocks:
    """The page of a checkpoint, with what it can do: scenes, several sentences and edits only where it has learnt them.

    Args:
        service: makes the motions.

    Returns:
        The app, with its queue.
    """
    page, longest, turns = _Page(service), service.processor.max_seconds, service.processor.tells_turns
    with gr.Blocks(
        title="MotionLLM", analytics_enabled=False, fill_width=True, delete_cache=(600, int(_KEPT_SECONDS))
    ) as app:
        gr.Markdown(f"# MotionLLM\nHuman motion from sentences, and sentences from motion. Model: `{service.name}`")
        motion = gr.State(None, time_to_live=_KEPT_SECONDS)
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                text = gr.Textbox(
                    label="What happens" + (" (one thing after another: a line for each)" if turns else ""),
                    placeholder="a person waves with the left hand",
                    lines=3 if turns else 1,
                    max_lines=8,
                    elem_id="text",
                )
                with gr.Row():
                    seconds = gr.Number(
                        None,
                        label="Seconds",
                        info=f"{'a line, ' if turns else ''}up to {longest:g}",
                        placeholder="typical",
                        min_width=100,
                        elem_id="seconds",
                    )
                    seed = gr.Number(0, label="Seed", info="varies the motion", min_width=100)
                    people = gr.Number(
                        1, label="People", info=f"up to {service.max_people}", precision=0, min_width=100,
                        visible=service.max_people > 1, elem_id="people",
                    )  # fmt: skip
                parts = gr.Textbox(
                    label="What each person does (a line for each; may be left out)", lines=2, visible=False
                )
                if service.max_people > 1 and service.processor.tells_parts:
                    people.change(
                        lambda count: gr.update(visible=(count or 1) > 1),
                        people, parts, queue=False, show_progress="hidden", api_visibility="private",
                    )  # fmt: skip
                make = gr.Button("Make motion", variant="primary", elem_id="make")
                if examples := _examples(service):
                    gr.Examples(
                        [[one] for one in examples],
                        inputs=[text],
                        label="Sentences that the model knows",
                        example_labels=[one.replace("\n", ", then ") for one in examples],
                    )
                with gr.Accordion("Upload a motion; describe, go on, change", open=False):
                    upload = gr.File(
                        label=f"{' '.join(_READ)}, up to {_LARGEST_UPLOAD >> 20} MB",
                        file_types=_READ,
                        type="filepath",
                        height=160,
                        elem_id="upload",
                    )
                    describe = gr.Button("Describe the motion shown", elem_id="describe")
                    more = gr.Button("Go on with the sentences above", visible=turns, elem_id="go-on")
                    with gr.Row(visible=service.fills_gaps):
                        start = gr.Number(1, label="From second", minimum=0, min_width=100)
                        end = gr.Number(2, label="to second", minimum=0, min_width=100)
                    anew = gr.Button("Make this part anew, as above", visible=service.fills_gaps, elem_id="edit")
            with gr.Column(scale=3, min_width=320):
                stage = gr.HTML(_EMPTY, elem_id="stage")
                notes = gr.Textbox(label="What is known of it", lines=3, interactive=False, elem_id="notes")
                files = gr.File(label="Downloads", file_count="multiple", interactive=False, elem_id="files")
                rest = gr.Button(f"Make {_listed(page.slow)} too", size="sm", visible=bool(page.slow), elem_id="rest")
        shown = [stage, notes, motion, files]  # the files of the motion before go

        def after(event: Callable[..., Any], function: Callable[..., Any], **options: Any) -> None:
            event(None, js=_LOOK, api_visibility="private")
            made = event(
                function, outputs=shown, concurrency_id="model", concurrency_limit=1, show_progress_on=stage, **options
            )
            made.success(
                page.write, motion, files, concurrency_id="files", concurrency_limit=2, show_progress="minimal",
                api_name=f"{options['api_name']}_files",
            )  # fmt: skip

        after(make.click, page.generate, inputs=[text, seconds, seed, people, parts], api_name="generate")
        after(upload.change, page.read, inputs=[upload], api_name="read")
        after(more.click, page.go_on, inputs=[motion, text, seconds, seed], api_name="go_on")
        after(anew.click, page.edit, inputs=[motion, text, start, end, seed], api_name="edit")
        describe.click(None, js=_LOOK, api_visibility="private")
        describe.click(page.describe, motion, notes, concurrency_id="model", concurrency_limit=1, api_name="describe")
        rest.click(page.write_all, motion, files, concurrency_id="files", concurrency_limit=2, api_name="all_files")
    return app.queue(max_size=_WAITING)


def make_site(app: gr.Blocks) -> FastAPI:
    """The app as a site for a server of one's own: gradio's `launch` first asks the site whether it answers in time."""
    return gr.mount_gradio_app(
        FastAPI(openapi_url=None),
        app,
        path="/",
        css=_STYLE,
        theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        max_file_size=_LARGEST_UPLOAD,
        footer_links=["api"],
        ssr_mode=False,
        show_error=True,
    )
