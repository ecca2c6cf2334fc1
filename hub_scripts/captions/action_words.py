"""The words that say what a person does, for `sentence_content`: verbs, nouns, body parts, directions, manners.

Data only. Captions are written from `words`, and nothing here comes from there: what judges sentences shares no list
with what makes them.
"""

__all__ = [
    "ACTIONS",
    "BODY_PARTS",
    "COUNTS",
    "DIRECTIONS",
    "HAND_PARTS",
    "IRREGULAR",
    "LEG_PARTS",
    "LIGHT_VERBS",
    "MANNERS",
    "NOUNS",
    "OTHER_VERBS",
    "PATHS",
    "PHRASES",
    "SPELLING",
    "SUBJECTS",
    "THINGS",
    "VERBS",
    "word_set",
]


def word_set(words: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(words.split())


# action: the verbs that say it. `sentence_content` looks closer at those that depend on their object or particle.
ACTIONS: dict[str, str] = {
    "walk": (
        "walk stroll saunter strut wander pace amble stride tiptoe sneak creep moonwalk stalk waddle trudge hike prowl"
    ),
    "run": "run jog sprint dash trot race",
    "move": (
        "move go come return head travel proceed advance approach wander circle loop veer follow enter "
        "retreat back slide"
    ),
    "step": "step tread sidestep side-step strafe shuffle",
    "march": "march",
    "skip": "skip",
    "hop": "hop",
    "jump": "jump leap bounce bound spring",
    "limp": "limp hobble",
    "stumble": "stumble stagger trip wobble teeter",
    "turn": "turn pivot rotate swivel",
    "spin": "spin twirl",
    "climb": "climb ascend descend",
    "crawl": "crawl",
    "stand": "stand wait remain",
    "stand up": "rise arise",
    "sit": "sit",
    "kneel": "kneel genuflect",
    "crouch": "crouch squat duck",
    "lunge": "lunge",
    "lie": "lie lay",
    "fall": "fall collapse",
    "bend": "bend stoop hunch",
    "bow": "bow curtsy curtsey",
    "lean": "lean tilt slouch",
    "sway": "sway rock wiggle gyrate",
    "stretch": "stretch",
    "raise hands": "",
    "lower hands": "",
    "raise leg": "",
    "move hands": "",
    "wave": "wave waive",
    "clap": "clap applaud",
    "point": "point",
    "beckon": "beckon",
    "gesture": "gesture jesture gesticulate motion signal direct",
    "salute": "salute",
    "shrug": "shrug",
    "pray": "pray",
    "greet": "greet",
    "reach": "reach",
    "punch": "punch jab box uppercut",
    "kick": "kick",
    "fight": "fight spar",
    "block": "block dodge",
    "hit": "hit strike swat slap smack chop knock bat pound",
    "slash": "slash",
    "throw": "throw toss hurl fling chuck pitch lob bowl",
    "catch": "catch",
    "dribble": "dribble",
    "shoot": "shoot",
    "swing": "swing",
    "push": "push shove press",
    "pull": "pull drag tug yank",
    "be pushed": "",
    "pick up": "pick scoop gather",
    "put": "put place set",
    "lift": "lift raise hoist",
    "lower": "lower",
    "take": "grab grasp snatch retrieve",
    "hold": "hold carry grip clutch",
    "give": "offer",
    "drop": "drop release",
    "open": "open close shut unscrew unlock",
    "touch": "touch pat tap feel",
    "wipe": "wipe clean scrub sweep polish dust",
    "wash": "wash rinse shower",
    "dry": "dry",
    "scratch": "scratch rub massage brush comb",
    "shake": "shake shiver tremble",
    "pour": "pour",
    "stir": "stir mix whisk",
    "drink": "drink sip gulp",
    "eat": "eat chew bite",
    "play": "play strum drum pluck",
    "dance": "dance waltz tango cha-cha boogie",
    "exercise": "exercise workout warm",
    "balance": "balance steady",
    "swim": "swim",
    "row": "row paddle",
    "fly": "fly flap",
    "flip": "flip somersault backflip handspring",
    "cartwheel": "cartwheel",
    "handstand": "handstand",
    "roll": "roll tumble",
    "push-up": "push-up pushup",
    "sit-up": "sit-up situp",
    "jumping jack": "jumping-jack",
    "skate": "skate ski surf",
    "look": "look glance peer gaze stare watch search check",
    "call": "call shout yell",
    "talk": "talk speak converse",
    "laugh": "laugh",
    "cry": "cry sob weep",
    "cross": "cross fold clasp",
    "twist": "twist",
    "nod": "nod",
}

VERBS: dict[str, str] = {verb: action for action, verbs in ACTIONS.items() for verb in verbs.split()}

# Verbs that say nothing that a body is known by: alone they make the action "unknown".
OTHER_VERBS = word_set("""
    act adjust aim answer apply arch argue arrange attach attack avoid bake beat blow break breathe build bump
    burp button buckle butter change chase cheer clench clutch conduct construct contort cook cough count cover
    cradle crank crush cut dangle deal defend demonstrate dig dip dive draw dress drive embrace empty examine
    express fan fasten feed fiddle fire fish fix flail flex flick fold form frisk fumble gallop grind groom guide
    hammer hang help hide hug imitate impersonate inspect interact iron jerk juggle kiss knead knit lasso lather
    lead lick light load lock manipulate measure meditate mime mimic milk nail nudge operate pack paint pedal peel
    pet pinch plant plead plug poke pop pose present protest pump quiver react read ride ring saw scan scrape
    screw scribble sew shave shovel show sift sing slam slice slip sleep smell smoke snap sneeze sniff snorkel
    spray spread sprinkle squeeze squirm stab stack stamp stomp stroke struggle suck surrender swallow swerve
    swipe switch tangle tease tend text thread thrust tickle tie tighten trace transfer tuck type uncross unfold
    untie vacuum vomit wear weave whip whistle wind work wrap wrestle write yawn zip twiddle mount dismount
    snowboard skateboard ponder think cast reel slither tackle dunk serve spike putt tee wring squish fidget rake
    grill strangle choke celebrate curl cup crack crumple doff don unbutton
    """) - set(VERBS)

LIGHT_VERBS = word_set("""
    take do make perform give throw execute complete practice practise attempt deliver land try land
    """)

# Nouns that say an action when a light verb or a preposition comes before them.
NOUNS: dict[str, str] = {
    **{noun: VERBS[noun] for noun in word_set("""
       walk stroll stride run jog sprint dash step pace hop skip jump leap bounce turn pivot spin twirl crawl bow curtsy
       stretch wave clap punch jab uppercut kick throw toss swing squat lunge dance waltz tango cartwheel handstand flip
       somersault backflip roll push-up pushup sit-up situp jumping-jack
            salute shrug march limp stumble slash shuffle pitch nod
    """)},
    "rotation": "turn",
    "about-face": "turn",
    "u-turn": "turn",
    "roundhouse": "kick",
    "hook": "punch",
    "boxing": "punch",
    "karate": "fight",
    "macarena": "dance",
    "salsa": "dance",
    "ballet": "dance",
    "chicken-dance": "dance",
    "side-step": "step",
    "burpee": "push-up",
    "drink": "drink",
    "sip": "drink",
    "bite": "eat",
    "seat": "sit",
    "knee": "kneel",
    "look": "look",
    "exercise": "exercise",
    "nap": "lie",
    "yoga": "stretch",
}  # fmt: skip

IRREGULAR: dict[str, str] = {
    "ran": "run", "went": "go", "came": "come", "gone": "go", "stood": "stand", "sat": "sit", "knelt": "kneel",
    "bent": "bend", "fell": "fall", "fallen": "fall", "threw": "throw", "thrown": "throw", "caught": "catch",
    "swung": "swing", "swam": "swim", "took": "take", "taken": "take", "did": "do", "done": "do", "made": "make",
    "gave": "give", "given": "give", "held": "hold", "hit": "hit", "hits": "hit", "brought": "bring", "put": "put",
    "set": "set", "got": "get", "gotten": "get", "crept": "creep", "swept": "sweep", "shook": "shake", "drank": "drink",
    "ate": "eat", "spun": "spin", "sprang": "spring", "leapt": "leap", "leant": "lean", "lay": "lie", "lying": "lie",
    "laying": "lay", "laid": "lay", "lain": "lie", "flew": "fly", "rose": "rise", "led": "lead", "left-off": "leave",
    "dove": "dive", "slid": "slide", "strode": "stride", "fought": "fight", "shot": "shoot", "wound": "wind",
    "kept": "keep", "began": "begin", "begun": "begin", "was": "be",
    "is": "be", "are": "be", "were": "be", "does": "do",
    "has": "have", "had": "have", "goes": "go", "beats": "beat", "wrote": "write", "broke": "break", "drew": "draw",
    "dug": "dig", "sang": "sing", "cast": "cast", "waltzes": "waltz", "puts": "put", "putting": "put",
    "snuck": "sneak", "dying": "die", "tying": "tie", "trod": "tread", "wept": "weep", "hung": "hang", "does-so": "do",
}  # fmt: skip

# What annotators often write, and what they mean; applied to whole words.
SPELLING: dict[str, str] = {
    "foward": "forward", "fowards": "forwards", "foreward": "forward", "forwrad": "forward", "forword": "forward",
    "rigth": "right", "rihgt": "right", "rights": "right", "lefts": "left", "thier": "their", "perosn": "person",
    "soemthing": "something", "waling": "walking", "walkes": "walks", "wlaks": "walks", "walsk": "walks", "bck": "back",
    "anticlockwise": "counterclockwise", "counterclock-wise": "counterclockwise", "backwars": "backwards",
    "counter-clockwise": "counterclockwise", "anti-clockwise": "counterclockwise", "clock-wise": "clockwise",
    "infront": "front", "jumpng": "jumping", "runing": "running", "siting": "sitting", "stading": "standing",
    "zigzagging": "zigzag", "zigzags": "zigzag", "zig-zag": "zigzag", "zig-zags": "zigzag", "semi-circle": "semicircle",
    "jesture": "gesture", "waiving": "waving", "waives": "waves", "grabed": "grabbed", "dancin": "dancing",
    "strait": "straight", "arround": "around", "aroud": "around", "streches": "stretches", "strech": "stretch",
    "streching": "stretching", "rasies": "raises", "raisies": "raises", "rises-hand": "raises", "leftwards": "leftward",
    "rightwards": "rightward", "leftside": "left", "rightside": "right",
    "righthand": "right hand", "lefthand": "left hand",
    "right-handed": "right hand", "left-handed": "left hand", "right-hand": "right hand", "left-hand": "left hand",
    "right-foot": "right foot", "left-foot": "left foot", "handstands": "handstand", "sidways": "sideways",
    "side-ways": "sideways", "sidewise": "sideways", "sideway": "sideways", "laterally": "sideways", "jogg": "jog",
    "boths": "both", "back-wards": "backwards", "cicle": "circle", "cirlce": "circle", "clockwise.": "clockwise",
    "sidestepping": "sidestep", "throughs": "throws", "thows": "throws", "trows": "throws", "squates": "squats",
    "tip-toes": "tiptoes", "tip-toe": "tiptoe", "kness": "knees", "forewards": "forward",
}  # fmt: skip

# Sayings of several words, made one before all else: letters that must occur, regular expression, replacement.
PHRASES: tuple[tuple[str, str, str], ...] = (
    ("clock", r"\bcounter[ -]clock[ -]?wise\b|\banti[ -]clock[ -]?wise\b", "counterclockwise"),
    ("clock", r"\bclock wise\b", "clockwise"),
    ("zig", r"\bzig[ -]?zag(s|ging|ged)?\b|\bzigs? and zags?\b", "zigzag"),
    ("circle", r"\bsemi circle\b|\bhalf (of )?(a |the )?circle\b|\bquarter (of )?(a )?circle\b", "semicircle"),
    ("figure", r"\bfigure (of )?(eight|8)s?\b", "figure-eight"),
    ("8", r"\b8 (shape|figure)\b", "figure-eight"),
    ("front", r"\bin front of\b|\bto the front of\b", "in-front"),
    ("ja", r"\bjump(s|ed|ing)?[ -]ja[ck]{2,3}s?\b", "jumping-jack"),
    ("star", r"\bstar jumps?\b", "jumping-jack"),
    ("up", r"(?<!to )\b(push|press)[ -]ups?\b(?! (against|on))", "push-up"),
    ("sit", r"\bsit[ -]?ups\b|\bsit-up\b", "sit-up"),
    ("step", r"\bside[ -]?step(s|ped|ping)?\b", "side-steps sideways"),
    ("straf", r"\bstraf(es?|ing)\b", "side-steps sideways"),
    ("wheel", r"\bcart ?wheel(s|ed|ing)?\b", "cartwheels"),
    ("danc", r"\b(chicken|robot|line|indian|salsa|break|ballet|hip hop|tap) danc(e|es|ing|ed)\b", "dance"),
    ("cha", r"\bcha cha( cha)?\b", "cha-cha"),
    ("like", r"\blike (a |the )?waves?\b", ""),
    ("hand stand", r"\bhand stand(s?)\b", "handstand"),
    (" on", r"\b(on|onto) (all fours|(their|his|her|its|the)? ?hands? and knees?)\b", "on-all-fours"),
    ("back", r"\b(backs|backed|backing) (up|away|off)\b", r"\1 backward"),
    (" back", r"\b(to|he|she|they|person|man|figure) back (up|away)\b", r"\1 back backward"),
    ("forth", r"\bback[ -](and|in)[ -]forth\b|\bback and fourth\b", "back-and-forth"),
    ("fro", r"\bto and fro\b|\bforwards? and back(wards?)?\b", "back-and-forth"),
    ("side to side", r"\b(from )?side to side\b", "side-to-side"),
    ("and right", r"\bleft and right\b(?! (hand|arm|leg|foot|knee))", "side-to-side"),
    ("and left", r"\bright and left\b(?! (hand|arm|leg|foot|knee))", "side-to-side"),
    ("up and down", r"\bup and down\b", "up-and-down"),
    ("right", r"\bfrom (the |their |his )?left (side )?to (the |their |his )?right( side)?\b|\bleft to right\b",
     "left-to-right"),
    ("left", r"\bfrom (the |their |his )?right (side )?to (the |their |his )?left( side)?\b|\bright to left\b",
     "right-to-left"),
    (" line", r"\bin ([a-z]+ )?straight line\b|\bin a line\b", "in-line"),
    ("straight", r"\bstraight (ahead|forward|forwards)\b", "in-line forward"),
    ("place", r"\b(in|on|at) (a |the |one )?(same )?place\b|\bin-place\b", "in-place"),
    ("spot", r"\b(in|on|at) (a |the |one )?(same )?spot\b", "in-place"),
    ("head", r"\b(over|above) (the |their |his |her |its )?head\b|\boverhead\b", "over-head"),
    ("martial", r"\bmartial arts?\b", "karate"),
    (" move", r"\b(danc(?:e|ing)|ballet|salsa|disco|karate|boxing|fighting|kung[ -]fu|yoga|exercise) "
     r"(moves?|movements?|motions?|steps?)\b", r"\1"),
    ("around", r"\b(all the way|the other way|half ?way) around\b", "around"),
    ("right", r"\bright (away|in-front|next|behind|now)\b", r"\1"),
    ("right angle", r"\bright angles?\b", "90 degrees"),
    ("motion", r"\bmotion(s|ed|ing)? (for|to|at) (someone|somebody|people|others|something)\b", "gestures"),
    ("motion", r"\bin (a )?slow[ -]motion\b", "slowly"),
    ("warm", r"\bwarm(s|ed|ing)?[ -]ups?\b", "exercises"),
    ("rope", r"\bjump(s|ed|ing)? rope\b|\bskipping rope\b", "jumping"),
    ("twist", r"\b(do|does|doing|did) (the |a )?twist\b", "dances"),
    ("shape", r"\b[swzmn] shaped?\b", "zigzag"),
    ("shape", r"\b[cuvljr] shaped?\b", "curve"),
    ("s f", r"\bs figure\b|\bs formation\b", "zigzag"),
    ("look", r"\blook(s|ed|ing)? (like|as|to be|to have)\b", "seems"),
    ("catwalk", r"\bcatwalk\b", "runway"),
    ("shadow", r"\bshadow ?box(es|ing)?\b", "boxing"),
    ("pict", r"\btak(e|es|ing) (a |the )?(picture|photo)s?\b", "aiming"),
    ("h", r"\b(has|have|having) (?=((both|their|his|her|the|left|right) )+(hand|arm)s? (up|out|over-head)\b)",
     "raises "),
    ("hand", r"\b(left|right)[ -]?hand(ed)? side\b", r"\1"),
    ("'s", r"'s\b", ""),
)  # fmt: skip

SUBJECTS = word_set("""
    person man woman figure someone somebody he she they it human character individual subject sim guy boy
    girl people user model one toon body zombie robot monkey lady kid child dude player stickman
    """)  # fmt: skip

HAND_PARTS = word_set("hand arm fist wrist elbow forearm palm finger bicep")
LEG_PARTS = word_set("leg foot knee ankle thigh toe heel shin")
BODY_PARTS = HAND_PARTS | LEG_PARTS | word_set("""
    head shoulder hip waist neck face chest back torso body chin ear mouth nose eye stomach belly hair armpit
    """)  # fmt: skip

THINGS = word_set("""
    ball box object something item thing chair phone cup drink bottle door wall rope stick golf basketball
    guitar violin table shelf counter stair stairs ladder step-stool stool beam rail handrail window glass
    bowl box container dog animal food racket tennis baseball bat club sword football soccer surface knob
    sponge pot shirt shoe pants jacket bag ramp bench seat piano drum drums flute camera screen lid jar bucket
    broom bar rock stone stones rope book paper hammer knife saw weight dumbbell bow-and-arrow gun boxing-bag
    cat bird plane airplane car boat obstacle furniture platform sack
    """)  # fmt: skip

DIRECTIONS: dict[str, str] = {
    "forward": "forward", "forwards": "forward", "ahead": "forward", "onward": "forward",
    "backward": "backward", "backwards": "backward", "rearward": "backward",
    "left": "left", "leftward": "left", "right": "right", "rightward": "right", "sideways": "sideways",
    "up": "up", "upward": "up", "upwards": "up", "uphill": "up", "upstairs": "up",
    "down": "down", "downward": "down", "downwards": "down", "downhill": "down", "downstairs": "down",
}  # fmt: skip

PATHS: dict[str, str] = {
    "circle": "circle", "circles": "circle", "circular": "circle", "circularly": "circle", "oval": "circle",
    "loop": "circle", "circling": "circle", "ring": "circle",
    "semicircle": "curve", "curve": "curve", "curvy": "curve", "curved": "curve",
    "curves": "curve", "curving": "curve", "arc": "curve",
    "veers": "curve", "veering": "curve", "arch": "curve", "u-shape": "curve",
    "zigzag": "zigzag", "weaving": "zigzag", "weaves": "zigzag", "serpentine": "zigzag", "s-shape": "zigzag",
    "winding": "zigzag", "wavy": "zigzag", "wiggly": "zigzag",
    "figure-eight": "figure eight", "straight": "straight", "in-line": "straight", "directly": "straight",
    "diagonal": "diagonal", "diagonally": "diagonal", "diagonals": "diagonal",
    "in-place": "in place", "back-and-forth": "back and forth", "side-to-side": "side to side",
    "up-and-down": "up and down", "square": "square", "rectangle": "square", "triangle": "triangle",
}  # fmt: skip

MANNERS: dict[str, str] = {
    word: manner
    for manner, words in {
        "slow": "slow slowly leisurely gradually calmly calm slower steadily sluggishly",
        "fast": "fast quick quickly fastly rapidly rapid briskly brisk swiftly swift hurriedly faster hastily speedily",
        "angry": "angry angrily aggressively aggressive furiously mad frustrated violently",
        "happy": "happy happily joyfully cheerfully excitedly excited joyful playfully merrily",
        "sad": "sad sadly depressed gloomily gloomy upset",
        "old": "old elderly",
        "child": "childish childlike childishly toddler",
        "drunk": "drunk drunkenly drunken intoxicated tipsy",
        "tired": "tired tiredly wearily exhausted weary lazily lazy sleepily",
        "injured": "injured hurt painfully wounded",
        "careful": "carefully careful cautiously cautious gingerly hesitantly sneakily stealthily",
        "confident": "confidently confident proudly proud",
        "timid": "timidly shyly nervously nervous scared fearfully",
        "casual": "casually casual normally normal relaxed naturally loosely",
        "energetic": "energetically energetic vigorously enthusiastically actively wildly",
        "forceful": "forcefully hard powerfully strongly heavily",
        "gentle": "gently softly lightly slightly gracefully smoothly",
        "feminine": "feminine sexy sassy seductively",
        "masculine": "masculine macho",
        "zombie": "zombie",
        "robot": "robot robotically",
        "unsteady": "unsteadily unsteady clumsily awkwardly uneven wobbly shaky",
        "stiff": "stiffly stiff",
        "deep": "deep deeply low",
    }.items()
    for word in words.split()
}

COUNTS: dict[str, int] = {
    "once": 1, "twice": 2, "thrice": 3, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
}  # fmt: skip
