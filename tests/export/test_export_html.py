"""The HTML viewer: one offline file whose data are the joints, safe with any caption."""

import base64
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest

from hub_scripts.export import save_motion
from hub_scripts.export.html_viewer import build_html
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.motion import Motion, MotionSegment

HOSTILE = "</script><script>alert(1)</script> \"quotes\" 'single' <!-- &amp; {{MOTION}} {{TITLE}} \u2028 \\ 走る"


class Page(HTMLParser):
    """Scripts and title of a page, as a browser finds them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[tuple[dict, str]] = []
        self.addresses: list[str] = []
        self.title = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self._inside = tag
        found = dict(attrs)
        self.addresses += [found[name] for name in ("src", "href") if found.get(name)]
        if tag == "script":
            self.scripts.append((found, ""))

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif self._inside == "title":
            self.title += data


def payload_of(text: str) -> dict:
    page = Page(text)
    assert [attributes.get("type") for attributes, _ in page.scripts] == ["application/json", None]
    return json.loads(page.scripts[0][1])


def joints_of(payload: dict) -> np.ndarray:
    packed = payload["joints"]
    kind = {"int16": "<i2", "float32": "<f4"}[packed["encoding"]]
    values = np.frombuffer(base64.b64decode(packed["data"]), dtype=kind).astype(float)
    return values.reshape(payload["people"], payload["frames"], 22, 3) * packed["step"] + np.array(packed["offset"])


def random_motion(spread: float = 1.0, people: int = 2, **options) -> Motion:
    return Motion(np.random.default_rng(3).normal(size=(people, 7, 22, 3)) * spread, **options)


@pytest.mark.parametrize("spread,encoding", [(0.0, "int16"), (1.0, "int16"), (200.0, "float32")])
def test_payload_decodes_to_the_joints(spread, encoding):
    motion = random_motion(spread, fps=30.0, caption="two people meet")
    payload = payload_of(build_html(motion))
    assert payload["joints"]["encoding"] == encoding
    assert np.abs(joints_of(payload) - motion.people).max() <= 0.0005 + 1e-6
    assert (payload["fps"], payload["people"], payload["frames"]) == (30.0, 2, 7)
    assert payload["caption"] == "two people meet"
    assert len(payload["colours"]) == len(payload["scales"]) == 2


def test_a_hostile_caption_stays_text():
    text = build_html(random_motion(caption=HOSTILE))
    page = Page(text)
    assert len(page.scripts) == 2
    assert page.title == HOSTILE
    assert payload_of(text)["caption"] == HOSTILE
    assert "alert(1)</script>" not in text
    assert page.scripts[1][1] == Page(build_html(random_motion())).scripts[1][1]


def test_lone_surrogates_can_be_written(tmp_path):
    save_motion(random_motion(caption="bad \ud800 letter"), tmp_path / "motion.html")
    assert payload_of((tmp_path / "motion.html").read_text(encoding="utf-8"))["caption"] == "bad \ud800 letter"


def test_the_page_needs_no_network():
    text = build_html(random_motion())
    assert Page(text).addresses == ["data:,"]
    assert not re.search(r"https?://|@import|url\(|fetch\(|XMLHttpRequest|eval\(|innerHTML", text)
    assert "default-src 'none'" in text
    assert "{{" not in text


def test_same_motion_same_bytes(tmp_path):
    first, second = (save_motion(random_motion(), tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert first == second
    assert first != save_motion(random_motion(2.0), tmp_path / "c.html").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "b.html", "c.html"]


def test_themes_and_captions_can_be_chosen():
    motion = random_motion(caption="own")
    assert build_html(motion, theme="light") != build_html(motion)
    assert payload_of(build_html(motion, caption=""))["caption"] == ""
    assert payload_of(build_html(motion, caption="other"))["caption"] == "other"
    with pytest.raises(MotionLLMError, match="pink"):
        build_html(motion, theme="pink")
    with pytest.raises(MotionLLMError, match="elevation 95"):
        build_html(motion, elevation=95)


def test_a_motion_shows_itself_in_a_notebook_and_nothing_else():
    motion = random_motion(caption=HOSTILE)
    element = motion._repr_html_()
    frames: list[dict[str, str]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: frames.append({"tag": tag, **dict(attributes)})
    parser.feed(element)
    parser.close()
    assert [frame["tag"] for frame in frames] == ["iframe"]
    assert frames[0]["sandbox"] == "allow-scripts"  # without the notebook's own origin
    assert frames[0]["srcdoc"] == build_html(motion)


SEGMENTS = [MotionSegment("a person walks", 0.0, 2.0), MotionSegment("a person bows <b>", 2.0, 4.0)]


def test_segments_are_in_the_page():
    joints = np.random.default_rng(0).normal(size=(80, 22, 3))
    motion = Motion(joints, caption="walks, then bows", segments=SEGMENTS)
    assert payload_of(build_html(motion))["segments"] == [segment._asdict() for segment in SEGMENTS]
    assert payload_of(build_html(random_motion()))["segments"] == []


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs the browser Chromium")
@pytest.mark.parametrize(
    "state, expected",
    [
        ("#t=1", ("1.00", "a person walks", "true", "false", "1")),
        ("#t=3.5&speed=0.5&loop=0&follow=1", ("3.50", "a person bows <b>", "false", "true", "0.5")),
        ("#t=99&speed=7&view=1,2,x&follow=0", ("3.95", "a person bows <b>", "true", "false", "1")),
        ("#t=-3&follow=1&view=0.5,0.2,4,0,0.9,0", ("0.00", "a person walks", "true", "true", "1")),
    ],
)
def test_a_link_opens_the_page_in_that_state(tmp_path, golden, state, expected):
    joints = golden["dataset-1_walk_normal_002"]["joints"]
    joints = np.concatenate([joints, joints[::-1]] * 4)[:80]
    page = save_motion(Motion(joints, segments=SEGMENTS), tmp_path / "page.html")
    # What the page says of itself is written into it, as only the document can be had from outside.
    script = (
        "<script>setInterval(() => { const at = (id) => document.getElementById(id);"
        "if (!at('now').textContent || document.title.startsWith('[')) return;"  # not yet unpacked, or done
        "document.title = JSON.stringify([at('now').textContent, at('caption').textContent,"
        "at('loop').getAttribute('aria-pressed'), at('follow').getAttribute('aria-pressed'), at('speed').value,"
        "[...document.querySelectorAll('#timeline button')].map((one) =>"
        "[one.textContent, one.getAttribute('aria-current')]), stateHash()]); }, 100);</script>"
    )
    page.write_text(page.read_text(encoding="utf-8").replace("</body>", f"{script}</body>"), encoding="utf-8")
    browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    run = subprocess.run(
        [*browser, "--virtual-time-budget=30000", "--dump-dom", page.as_uri() + state],
        capture_output=True,
        text=True,
        check=True,
    )
    *found, blocks, link = json.loads(Page(run.stdout).title)
    assert tuple(found) == expected
    current = "walks" if expected[1] == "a person walks" else "bows <b>"
    assert blocks == [[text, "true" if text == current else None] for text in ("walks", "bows <b>")]
    assert link.startswith(f"#t={expected[0]}")
    assert ("loop=0" in link, f"follow={int(expected[3] == 'true')}" in link) == (expected[2] == "false", True)
    assert ("view=" in link) == ("0.9" in state)
