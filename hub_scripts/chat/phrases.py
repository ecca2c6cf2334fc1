"""The words of requests in a conversation, as patterns for `rules`."""

import re

from hub_scripts.captions.action_words import word_set

__all__ = [
    "AGAIN",
    "AROUND_SPEED",
    "DESCRIBE",
    "FILE",
    "FIRST",
    "GOES_ON",
    "HANDED",
    "INSTEAD",
    "JOINT",
    "LEADS",
    "LENGTH",
    "LONGER",
    "MODIFIES",
    "NEXT",
    "PROGRAMS",
    "REMOVE",
    "SAVE",
    "SEED",
    "SPAN",
    "SPEED",
    "UNDO",
    "WRONG",
]


def _any(*ways: str) -> str:
    return f"(?:{'|'.join(ways)})"


def _words(text: str) -> str:
    """Ways that are single words or sayings, divided by commas."""
    return _any(*(way.strip() for way in text.split(",")))


_NUMBER = r"\d+(?:\.\d+)?"
_SECOND = r"\s*(?:s|secs?|seconds?)\b"
_IT = _words("it, that, this, her, him, them, the motion, the animation")

# Between two requests in one sentence.
JOINT = re.compile(r"[.;!?]\s+|,?\s+(?:and(?: then)?|then|but)\s+|,\s+")
# Said before a request, beside what says where it goes.
LEADS = re.compile(r"^(?:okay|ok|so|well|and|but|please|no|yes)\b[,!.:]?\s*")

DESCRIBE = re.compile(
    _any(
        r"what(?:'s)?\b(?!.*\bif\b).*",
        r"(?:describe|caption|explain|tell me)\b.*",
        r"who\b.*",
        r"how does (?:it|that|she|he) look\b.*",
        r"(?:is|does|did) (?:she|he|it|they)\b.*",
    )
)
UNDO = re.compile(
    _any("undo", "revert", "go back", f"take {_IT} back", "never ?mind", f"forget {_IT}")
    + rf"(?: (?:{_IT}|the last(?: \w+)?))?(?: (?P<count>\d+|twice|once)(?: times| steps| changes)?)?"
)
SAVE = re.compile(
    _any("save", "export", "write", "download", "store", "convert", "render", r"give me (?=.*\bfile\b)")
    + r"\b\s*(?P<rest>.*)"
)
FILE = re.compile(r"[\"']?(?P<stem>[\w./~-]*[\w-])\.(?P<suffix>amass\.npz|[a-z]{3,4})\b")
PROGRAMS: dict[str, str] = {
    **dict.fromkeys(("blender", "unity", "godot", "unreal", "gltf", "game", "engine"), "glb"),
    **dict.fromkeys(("maya", "motionbuilder", "mocap", "cinema"), "bvh"),
    **dict.fromkeys(("video", "movie", "film"), "mp4"),
    **dict.fromkeys(("picture", "image", "sheet"), "png"),
    **dict.fromkeys(("browser", "web", "viewer", "page"), "html"),
    **dict.fromkeys(("avatar", "vrm", "vrchat"), "vrma"),
    **dict.fromkeys(("omniverse", "houdini"), "usd"),
    **dict.fromkeys(("smpl", "amass", "robot"), "amass.npz"),
    **dict.fromkeys(("numpy", "python"), "npz"),
    **{name: name for name in ("npz", "bvh", "glb", "vrma", "usd", "usda", "fbx", "mp4", "gif", "png", "html")},
}

AGAIN = re.compile(
    _any(
        r"(?:(?:do|try|make) (?:it |that |this )?)?(?:again|once more|one more time)",
        r"(?:redo|retry)(?: it)?",
        r"(?:give me |try |make |show me )?(?:another|a different|a new|one more)(?: (?:one|take|try|version|variant|"
        r"variation|time|seed|motion))?",
        r"(?:do it |try it )?differently",
        "something else",
        "do it",
    )
)
WRONG = re.compile(
    _any(
        "no",
        "nope",
        "wrong",
        "bad",
        f"{_IT}(?:'s| is| was| looks?)?(?: all| just| still| very)? "
        + _words("wrong, bad, off, ugly, not it, not right, not good, not like that, not what i asked for"),
        "not (?:good|right|like that|it)",
        f"i (?:do not|don't) like {_IT}",
    )
)
SEED = re.compile(r"(?:(?:again |try |try it |make it )?(?:with |use |take )?(?:the )?)?seed (?:number )?(?P<seed>\d+)")

_FAST, _SLOW = "fast|quick|quickly", "slow|slowly"
SPEED = re.compile(
    r"\b"
    + _any(
        "slower|faster|quicker",
        f"slow(?: {_IT})? down",
        f"speed(?: {_IT})? up",
        "(?:more|less) (?:slowly|quickly)",
        f"too (?:{_FAST}|{_SLOW})",
        rf"(?:half|twice|double|three times|{_NUMBER} ?(?:x|times))(?: the| as| its)? (?:speed|{_FAST}|{_SLOW})",
        r"\d+ ?% (?:slower|faster|speed|of the speed)",
        rf"{_NUMBER} ?x(?: speed)?",
    )
    + r"(?!\w)"
)
# What may stand beside it without saying anything else.
AROUND_SPEED = word_set("""
    a an bit little much lot even way more less far it her him them she he they is was the this that motion animation
    whole thing everything be should go goes do does move moves play played make as at of by and too really still
    slightly somewhat than before now so looks seems to in all ,
    """)
LENGTH = re.compile(
    rf"(?:(?:make|let) {_IT} |it should )?(?:be |last |take |go on )?(?:for |only |just )*"
    rf"(?P<seconds>{_NUMBER}){_SECOND}"
    r"(?: long| in total)?(?: (?P<more>longer|shorter|more|less))?"
)
LONGER = re.compile(
    rf"(?:make {_IT} |it should be )?(?:(?P<much>much|a lot|way|twice as)|(?P<bit>a bit|a little|slightly))?\s*"
    r"(?P<way>longer|long|shorter|short)"
)

_SPAN = (
    rf"(?:(?:from|between)\s+(?:second\s+)?(?P<start>{_NUMBER})(?:{_SECOND})?\s*(?:to|and|until|till|-|\u2013)\s*"
    rf"(?:second\s+)?(?P<end>{_NUMBER}|the end)(?:{_SECOND})?"
    rf"|(?P<middle>in the middle)|after (?P<after>{_NUMBER}){_SECOND})"
)
# When something is done, before or after what is done.
SPAN = (re.compile(rf"{_SPAN}[,:]?\s+(?P<rest>.+)"), re.compile(rf"(?P<rest>.+?),?\s+{_SPAN}"))
_AT_START = _any(r"(?:at|in) (?:the )?(?:very )?(?:start|beginning)", "before (?:that|this|it)", "first", "beforehand")
FIRST = (
    re.compile(rf"(?:{_AT_START}|to begin with|(?:begin|start)(?: it)? (?:with|by))[,:]?\s+(?P<rest>.+)"),
    re.compile(rf"(?P<rest>.+?),?\s+{_AT_START}"),
)
_AT_END = _any(r"at (?:the )?(?:very )?end", "in the end", "afterwards?", "after (?:that|this|it)", "next", "finally")
NEXT = (
    re.compile(
        rf"(?:{_AT_END}|now|then|lastly|followed by|add|(?:end|finish|go on|continue|follow)(?: it)? (?:with|by))"
        r"[,:]?\s+(?P<rest>.+)"
    ),
    re.compile(rf"(?P<rest>.+?),?\s+{_AT_END}"),
)
GOES_ON = re.compile(
    _any(
        "keep (?:going|on)",
        "go on",
        "continue",
        "carry on",
        "(?:a bit |some )?more(?: of it)?",
        r"keep (?P<ing>\w+ing)",
    )
    + r"|(?P<verb>\w+) (?:some|a bit|a little) more"
)
_THE = r"(?:the |a |an )?"
INSTEAD = (
    re.compile(rf"instead of {_THE}(?P<old>[^,]+),\s*(?P<new>.+)"),
    re.compile(rf"(?P<new>.+?),? instead of {_THE}(?P<old>.+)"),
    re.compile(rf"(?:replace|swap|exchange) {_THE}(?P<old>.+?) (?:with|by|for) (?P<new>.+)"),
    re.compile(r"(?:make|turn|change) the (?P<old>[\w -]+?) (?:into |to |be )?(?P<new>(?:a|an) .+)"),
    re.compile(r"(?P<new>.+?),? instead"),
)
REMOVE = re.compile(r"(?:remove|delete|drop|cut|leave out|take out)\s+(?:off |out |away )?(?:the |a |an )?(?P<old>.+)")

MODIFIES = re.compile(
    r"^(?:more |less )?(?:with|to|in|on|at|like|as|towards?|away|forwards?|backwards?|sideways|left|right|around)\b"
)
_LIMB = "(?:hands?|arms?|legs?|foot)"
HANDED = re.compile(rf"\b(?:with )?(?:(?:the|their|both|a|one)(?: (?:left|right))?|left|right) {_LIMB}\b")
