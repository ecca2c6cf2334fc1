"""The words captions are written with: actions per content, words per style, subjects. Data only.

Actions: `[verb]` is inflected to fit the sentence; `{my}` becomes "their" or "your"; `{side}` is left or right; the
other fields (`{dist}`, `{angle}`, `{times}`, `{height}`, `{depth}`) are measured, and an action is used only where its
fields are known.
"""

from dataclasses import dataclass

__all__ = ["ACTIONS", "ADVERBS_OF_PACE", "IRREGULAR", "NUMBERS", "STYLES", "STYLE_ALIASES", "SUBJECTS", "StyleWords"]


@dataclass(frozen=True)
class StyleWords:
    """How a style is said: `ways` follow the verb phrase, `adverbs` may also open a sentence, `who` is the subject."""

    ways: tuple[str, ...]
    adverbs: tuple[str, ...] = ()
    who: tuple[str, ...] = ()


SUBJECTS = ("a person", "someone", "the person", "a character", "the figure", "somebody", "a human", "a man", "a woman")

IRREGULAR = {  # base: (third person, -ing form) where the spelling rules do not give them
    "run": ("runs", "running"),
    "jog": ("jogs", "jogging"),
    "step": ("steps", "stepping"),
    "put": ("puts", "putting"),
    "bid": ("bids", "bidding"),
    "spin": ("spins", "spinning"),
    "clap": ("claps", "clapping"),
    "dip": ("dips", "dipping"),
    "drop": ("drops", "dropping"),
    "get": ("gets", "getting"),
    "grab": ("grabs", "grabbing"),
    "hit": ("hits", "hitting"),
    "hop": ("hops", "hopping"),
    "jab": ("jabs", "jabbing"),
    "lie": ("lies", "lying"),
    "nod": ("nods", "nodding"),
    "sit": ("sits", "sitting"),
    "skip": ("skips", "skipping"),
    "squat": ("squats", "squatting"),
    "stop": ("stops", "stopping"),
    "swim": ("swims", "swimming"),
}

NUMBERS = {
    1: "one",
    2: "two",
    3: "three",
    4: "four",
    5: "five",
    6: "six",
    7: "seven",
    8: "eight",
    9: "nine",
    10: "ten",
    11: "eleven",
    12: "twelve",
    90: "ninety",
}

ADVERBS_OF_PACE = {
    "slow walk": ("at a slow pace", "with slow steps"),
    "fast walk": ("at a brisk pace", "at a fast pace"),
    "slow run": ("at a slow pace", "without hurrying"),
    "fast run": ("at a fast pace", "at high speed"),
    "slow gesture": ("in a slow movement", "taking plenty of time"),
    "fast gesture": ("in a quick movement", "in one swift motion"),
}

STYLE_ALIASES = {"old": "elderly", "masculinity": "masculine"}

STYLES: dict[str, StyleWords] = {
    "normal": StyleWords(()),
    "active": StyleWords(
        ("in an active way", "with a lot of energy", "in a lively manner"),
        ("energetically", "actively", "vigorously"),
        ("an energetic person", "an active person", "a lively person"),
    ),
    "angry": StyleWords(
        ("in an angry mood", "full of anger", "in an angry way"),
        ("angrily", "furiously"),
        ("an angry person", "a furious person"),
    ),
    "childish": StyleWords(
        ("like a child", "in a childish way", "like a little kid"),
        ("childishly", "playfully"),
        ("a child", "a kid", "a childish person"),
    ),
    "chimpira": StyleWords(
        ("like a street thug", "like a thug", "with the swagger of a thug", "like a street punk"),
        (),
        ("a street thug", "a thug", "a swaggering punk"),
    ),
    "elderly": StyleWords(
        ("like an elderly person", "like an old person", "as an old person would", "with the stiffness of old age"),
        (),
        ("an elderly person", "an old person", "an old man", "an old woman"),
    ),
    "exhausted": StyleWords(
        ("in an exhausted way", "like someone who is exhausted", "with the last of their energy", "as if worn out"),
        ("wearily", "sluggishly"),
        ("an exhausted person", "a worn-out person"),
    ),
    "feminine": StyleWords(
        ("in a feminine way", "like a lady", "with feminine grace", "in a womanly manner"),
        (),
        ("a feminine person", "a lady", "a graceful woman"),
    ),
    "giant": StyleWords(
        ("like a giant", "with the heavy weight of a giant", "like a huge monster"),
        (),
        ("a giant", "a huge giant"),
    ),
    "happy": StyleWords(
        ("in a happy mood", "full of joy", "in a happy way"),
        ("happily", "cheerfully", "joyfully"),
        ("a happy person", "a cheerful person"),
    ),
    "masculine": StyleWords(
        ("in a masculine way", "in a manly way", "like a macho man", "in a masculine manner"),
        (),
        ("a masculine person", "a manly man", "a macho man"),
    ),
    "musical": StyleWords(
        ("to the beat of music", "in a musical way", "as if moving to music", "with a musical rhythm"),
        ("rhythmically",),
    ),
    "not-confident": StyleWords(
        ("without confidence", "in an insecure way", "with little self-confidence"),
        ("timidly", "hesitantly", "shyly"),
        ("a timid person", "an insecure person", "a shy person"),
    ),
    "proud": StyleWords(
        ("with pride", "in a proud way", "in a proud and self-assured manner"),
        ("proudly",),
        ("a proud person", "a self-assured person"),
    ),
    "sad": StyleWords(
        ("in a sad mood", "with a heavy heart", "in a sad way"),
        ("sadly", "gloomily"),
        ("a sad person", "a gloomy person"),
    ),
    "tired": StyleWords(
        ("in a tired way", "like someone who is tired", "with tired movements"),
        ("tiredly", "wearily"),
        ("a tired person", "a weary person"),
    ),
    "youthful": StyleWords(
        ("like a young person", "in a youthful way", "with youthful energy"),
        ("youthfully",),
        ("a young person", "a youthful person", "a teenager"),
    ),
}

_WALK = (
    "[walk] forward",
    "[walk] straight ahead",
    "[walk] straight forward",
    "[stroll] forward",
    "[stroll] straight ahead",
    "[walk] along in a straight line",
    "[take] a number of steps forward",
    "[walk] forward for {dist}",
    "[walk] {dist} straight ahead",
)
_RUN = (
    "[run] forward",
    "[run] straight ahead",
    "[jog] forward",
    "[jog] straight ahead",
    "[run] along in a straight line",
    "[move] forward at a run",
    "[run] forward for {dist}",
    "[jog] {dist} straight ahead",
)
_DASH = (
    "[sprint] forward",
    "[dash] forward",
    "[dash] straight ahead",
    "[sprint] straight ahead",
    "[sprint] forward at top speed",
    "[dash] off at full speed",
    "[dash] forward for {dist}",
    "[sprint] {dist} straight ahead",
)
_WALK_BACK = (
    "[walk] backward",
    "[walk] backwards",
    "[step] backward again and again",
    "[move] backwards at a walk",
    "[walk] straight backward",
    "[back] away step by step",
    "[walk] backward for {dist}",
    "[walk] {dist} backwards",
)
_WALK_SIDE = (
    "[walk] diagonally forward to the {side}",
    "[walk] diagonally to the {side}",
    "[stroll] diagonally to the {side}",
    "[move] diagonally forward to the {side} at a walk",
    "[walk] forward while drifting sideways to the {side}",
    "[walk] at an angle to the {side}",
    "[walk] diagonally to the {side} for {dist}",
)
_WALK_TURN = (
    "[walk] forward and [turn] {side}",
    "[walk] and then [turn] to the {side}",
    "[turn] {side} while walking",
    "[walk] ahead and [make] a {side} turn",
    "[take] a {side} turn while walking",
    "[stroll] forward and [turn] to the {side}",
    "[walk] around a corner to the {side}",
    "[change] direction to the {side} while walking",
    "[walk] forward and [turn] about {angle} degrees to the {side}",
    "[turn] {angle} degrees {side} while walking",
)
_WAVE_ONE = (
    "[wave] with the {side} hand",
    "[wave] {my} {side} hand",
    "[wave] the {side} hand",
    "[wave] {my} {side} arm from side to side",
    "[lift] {my} {side} hand and [wave] it",
    "[greet] someone by waving the {side} hand",
    "[give] a wave with {my} {side} hand",
    "[wave] to someone with {my} {side} hand",
    "[wave] {my} {side} hand {height}",
    "[wave] {my} {side} hand {times}",
)
_WAVE_BOTH = (
    "[wave] with both hands",
    "[wave] both hands",
    "[wave] {my} two hands at the same time",
    "[wave] both arms from side to side",
    "[lift] both hands and [wave] them",
    "[greet] someone by waving both hands",
    "[wave] to someone with both hands",
    "[wave] both hands {height}",
    "[wave] both hands {times}",
)
_RAISE_ONE = (
    "[raise] the {side} hand",
    "[raise] {my} {side} hand",
    "[raise] up {my} {side} hand once",
    "[lift] {my} {side} hand up and [lower] it again",
    "[put] {my} {side} hand up",
    "[raise] {my} {side} arm and [bring] it back down",
    "[stretch] {my} {side} arm upward once",
    "[lift] the {side} arm",
    "[raise] {my} {side} hand {height}",
)
_RAISE_BOTH = (
    "[raise] both hands",
    "[raise] up both hands once",
    "[lift] both hands up and [lower] them again",
    "[put] both hands up",
    "[raise] both arms and [bring] them back down",
    "[stretch] both arms upward once",
    "[lift] both arms",
    "[raise] {my} two hands at the same time",
    "[raise] both hands {height}",
)
_BOW = (
    "[bow] forward",
    "[bend] forward to bow",
    "[take] a bow",
    "[bow] from the waist",
    "[bend] at the waist and [bow]",
    "[lower] {my} head and upper body in a bow",
    "[greet] someone with a bow",
    "[make] a bow and [straighten] up again",
    "[make] a {depth} bow",
)
_BYE = (
    "[wave] goodbye with the {side} hand",
    "[wave] {my} {side} hand to say goodbye",
    "[say] goodbye with a wave of the {side} hand",
    "[wave] farewell with {my} {side} hand",
    "[bid] someone farewell by waving the {side} hand",
    "[wave] {my} {side} hand at someone who is leaving",
)
_BYEBYE = (
    "[wave] goodbye with both hands",
    "[wave] both hands to say goodbye",
    "[say] bye-bye by waving both hands",
    "[wave] farewell with both arms",
    "[bid] someone farewell by waving both hands",
    "[wave] both hands at someone who is leaving",
)
_CALL = (
    "[lean] forward and [call] out to someone",
    "[call] out loudly to someone far away",
    "[shout] to call someone, leaning forward",
    "[bend] forward while shouting out to somebody",
    "[call] someone with a loud shout",
    "[lean] in and [yell] to call a person over",
)
_RESPOND = (
    "[answer] a call by raising the {side} hand",
    "[respond] to someone by raising the {side} hand",
    "[raise] {my} {side} hand high to answer a call",
    "[respond] to a call with {my} {side} arm held up",
    "[signal] an answer to a call with the raised {side} hand",
    "[hold] up {my} {side} hand in response to somebody",
)
_GUIDE = (
    "[show] the way with the {side} hand",
    "[guide] someone with {my} {side} hand",
    "[gesture] with the {side} hand to show the way",
    "[point] the way with {my} {side} hand",
    "[direct] somebody with a gesture of the {side} hand",
    "[usher] someone along with {my} {side} hand",
    "[hold] out {my} {side} hand to guide someone",
)
_PUNCH = (
    "[throw] punches in a fighting stance",
    "[punch] several times like a boxer",
    "[stand] in a fighting stance and [punch]",
    "[box] in the air with quick punches",
    "[throw] a series of punches",
    "[practice] punches with raised fists",
)
_KICK = (
    "[kick] in a fighting stance",
    "[throw] spinning kicks",
    "[kick] and [spin] around",
    "[perform] a series of martial arts kicks",
    "[kick] several times while turning around",
    "[practice] kicks like a martial artist",
)
_SLASH = (
    "[slash] with a sword",
    "[swing] a sword with both hands",
    "[raise] a sword overhead and [slash] down",
    "[practice] sword slashes",
    "[strike] downward with a sword again and again",
    "[step] forward and [slash] with a sword",
)
_DANCE = (
    "[dance]",
    "[perform] a dance",
    "[dance] with spins and big arm movements",
    "[do] an energetic dance routine",
    "[dance] around freely",
    "[show] off a dance with turns",
)

ACTIONS: dict[str, tuple[str, ...]] = {
    "bow": _BOW,
    "bye": _BYE,
    "byebye": _BYEBYE,
    "call": _CALL,
    "dance-long": _DANCE,
    "dance-short": _DANCE,
    "dash": _DASH,
    "guide": _GUIDE,
    "kick": _KICK,
    "punch": _PUNCH,
    "raise-up-both-hands": _RAISE_BOTH,
    "raise-up-left-hand": _RAISE_ONE,
    "raise-up-right-hand": _RAISE_ONE,
    "respond": _RESPOND,
    "run": _RUN,
    "slash": _SLASH,
    "walk": _WALK,
    "walk-back": _WALK_BACK,
    "walk-left": _WALK_SIDE,
    "walk-right": _WALK_SIDE,
    "walk-turn-left": _WALK_TURN,
    "walk-turn-right": _WALK_TURN,
    "wave-both-hands": _WAVE_BOTH,
    "wave-left-hand": _WAVE_ONE,
    "wave-right-hand": _WAVE_ONE,
}
