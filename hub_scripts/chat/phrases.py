"""The words of requests in a conversation, as patterns for `rules`."""

import re

from hub_scripts.captions.action_words import word_set

__all__ = [
    "AGAIN",
    "ANEW",
    "BESIDE",
    "ONCE_MORE",
    "WANTED",
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
_IT = _words("it, that, this, her, him, them, everything, the motion, the animation, the whole thing")
_DOES = r"(?:she|he|it|they|that)"

# Between two requests in one sentence.
JOINT = re.compile(r"[.;!?]\s+|,?\s+(?:and(?: then)?|then|but)\s+|,\s+")
# Said before a request, beside what says where it goes.
LEADS = re.compile(r"^(?:okay|ok|so|well|and|but|please|no|nah|yes|not quite)\b[,!.:]?\s*")

DESCRIBE = re.compile(
    _any(
        r"what(?:'s)?\b(?!.*\bif\b).*",
        r"(?:describe|caption|explain|tell me)\b.*",
        r"who\b.*",
        r"how does (?:it|that|she|he) look\b.*",
        f"put {_IT} in(?:to)? words",
        r"(?:is|does|did) (?:she|he|it|they)\b.*",
    )
)
UNDO = re.compile(
    _any(
        "undo",
        "revert",
        "go back(?: to (?:the )?(?:previous|last|former) \\w+)?",
        f"take {_IT} back",
        "never ?mind",
        rf"(?:forget|scrap|discard|drop) (?:{_IT}|(?:the|that|this|my) last(?: \w+)?)",
    )
    + rf"(?: (?:{_IT}|the last(?: \w+)?))?(?: (?P<count>\d+|twice|once|one)(?: times?| steps?| changes?)?)?"
    + rf"|(?:i liked )?{_IT} (?:was )?better (?:before|(?:the way|as) it was(?: before)?)"
)
SAVE = re.compile(
    _any("save", "export", "write", "download", "store", "convert", "render", r"(?:give|hand|send) me (?=.*\bfile\b)")
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
        r"once again|(?:redo|retry)(?: it)?|(?:a )?new seed",
        r"(?:(?:give|show|let|make|try|have) (?:me |it )?|(?:can|could|may) i (?:see|get|have) |see )?"
        r"(?:another|a different|a new|one more)(?: (?:one|go|take|try|version|variant|variation|time|seed|motion))?",
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
        + _words("wrong, bad, off, ugly, not it, not right, not good, not like that"),
        rf"(?:{_IT}(?:'s| is| was) )?not what i \w+(?: for)?",
        "not (?:good|right|like that|it|quite)",
        f"i (?:do not|don't) like {_IT}(?: one| take| version)?",
    )
)
SEED = re.compile(r"(?:(?:again |try |try it |make it )?(?:with |use |take )?(?:the )?)?seed (?:number )?(?P<seed>\d+)")

_FAST, _SLOW = "fast|quick|quickly", "slow|slowly"
SPEED = re.compile(
    r"\b"
    + _any(
        "slower|faster|quicker",
        f"(?:slow|calm)(?: {_IT})? down",
        f"speed(?: {_IT})? up",
        "(?:more|less) (?:slowly|quickly|pace|speed|tempo)",
        f"too (?:{_FAST}|{_SLOW})",
        rf"(?:half|twice|double|three times|{_NUMBER} ?(?:x|times))(?: the| as| its)? (?:speed|pace|{_FAST}|{_SLOW})",
        r"\d+ ?% (?:slower|faster|speed|of the speed)",
        rf"{_NUMBER} ?x(?: speed)?",
    )
    + r"(?!\w)"
)
# What may stand beside it without saying anything else.
AROUND_SPEED = word_set("""
    a an bit little much lot even way more less far it her him them she he they is was the this that motion animation
    whole thing everything be should go goes do does move moves play played make as at of by and too really still
    slightly somewhat than before now so looks seems to in all ease easy take give for my taste liking ,
    """)
LENGTH = re.compile(
    rf"(?:(?:make|let) (?:{_IT}|the last \w+) |it should )?(?:be |last |take |go on )?(?:for |only |just )*"
    rf"(?P<seconds>{_NUMBER}){_SECOND}"
    r"(?: long| in total)?(?: (?P<more>longer|shorter|more|less))?"
)
LONGER = re.compile(
    rf"(?:make {_IT} |it should be )?(?:(?P<much>much|a lot|way|twice as)|(?P<bit>a bit|a little|slightly))?\s*"
    r"(?P<way>longer|long|shorter|short)"
)

_SPAN = (
    rf"(?:(?:from|between|around|during)\s+(?:seconds?\s+)?(?P<start>{_NUMBER})(?:{_SECOND})?\s*(?:to|and|until|till|-|\u2013)\s*"
    rf"(?:second\s+)?(?P<end>{_NUMBER}|the end)(?:{_SECOND})?"
    rf"|(?P<middle>in the middle)|after (?P<after>{_NUMBER}){_SECOND}|at (?P<at>{_NUMBER}){_SECOND})"
)
# When something is done, before or after what is done.
SPAN = (re.compile(rf"{_SPAN}[,:]?\s+(?P<rest>.+)"), re.compile(rf"(?P<rest>.+?),?\s+{_SPAN}"))
_LETS = rf"(?:{_DOES} |(?:have|let|make) (?:{_IT}|us) )?"
_AT_START = _any(
    r"(?:at|in) (?:the )?(?:very )?(?:start|beginning)", "before (?:that|this|it)", "first", "beforehand",
    rf"before {_DOES} (?:starts?(?: to \w+)?|\w+s)",
)  # fmt: skip
FIRST = (
    re.compile(rf"(?:{_AT_START}|to begin with|{_LETS}(?:begin|start)s?(?: it)? (?:with|by))[,:]?\s+(?P<rest>.+)"),
    re.compile(rf"(?P<rest>.+?),?\s+{_AT_START}"),
)
_AT_END = _any(
    r"at (?:the )?(?:very )?end", "in the end", "afterwards?", "after (?:that|this|it)", "next", "finally",
    rf"(?:once|when) {_DOES}(?:'s| is) (?:done|finished|through)",
)  # fmt: skip
NEXT = (
    re.compile(
        rf"(?:{_AT_END}|now|then|lastly|followed by|add|plus|"
        rf"{_LETS}(?:end|finish|go on|continue|follow|extend|top)s?(?: (?:{_IT}))?(?: off)? (?:with|by))"
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
    re.compile(r"(?:do not|don't|not) (?P<old>[^,]+),\s*(?:but )?(?P<new>.+?)(?: instead)?"),
    re.compile(rf"(?P<new>.+?) where {_THE}(?P<old>.+?) is"),
    re.compile(rf"(?:replace|swap|exchange) {_THE}(?P<old>.+?) (?:with|by|for) (?P<new>.+)"),
    re.compile(r"(?:make|turn|change) the (?P<old>[\w -]+?) (?:into |to |be )?(?P<new>(?:a|an) .+)"),
    re.compile(r"(?P<new>.+?),? instead"),
)
REMOVE = re.compile(r"(?:remove|delete|drop|cut|leave out|take out)\s+(?:off |out |away )?(?:the |a |an )?(?P<old>.+)")

# What begins anew, whatever there is.
ANEW = re.compile(
    r"(?:(?:a )?new (?:motion|one)|start (?:over|again|anew)|from scratch|how about|what about|something new)"
    r"(?: with)?[:,]?\s+(?P<rest>.+)"
)
# After or before an action that is named: "after the bow she jumps".
BESIDE = re.compile(rf"(?P<where>after|before) (?:the |a )?(?P<old>[\w-]+),?\s+(?P<rest>(?:{_DOES}|let|make|have)\b.+)")
ONCE_MORE = re.compile(r"(?P<rest>.+?),? (?P<how>again|this time|once more)")
# Files that are asked for without "save".
WANTED = re.compile(
    r"(?:put|get|have|make|need|want|turn)?\s*"
    r"(?:(?:it|this|that|the motion) (?:as|in|into|to|on|for) .+"
    r"|(?:as )?an? (?:\w+ )?\w+(?: file)?(?: (?:of|from) (?:it|this|that))?)"
)

MODIFIES = re.compile(
    r"^(?:more |less )?(?:with|to|in|on|at|like|as|towards?|away|forwards?|backwards?|sideways|left|right|around)\b"
)
_LIMB = "(?:hands?|arms?|legs?|foot)"
HANDED = re.compile(rf"\b(?:with )?(?:(?:the|their|both|a|one)(?: (?:left|right))?|left|right) {_LIMB}\b")
