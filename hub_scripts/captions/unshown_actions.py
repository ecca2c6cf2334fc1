"""Whether a sentence tells only of actions that a collection of motions does not know: told by words alone."""

from collections.abc import Collection

from hub_scripts.captions.action_words import NOUNS, VERBS, word_set
from hub_scripts.captions.sentence_content import UNKNOWN, SentenceContent
from hub_scripts.captions.sentence_verbs import split_words, verb_lemma

__all__ = ["named_actions", "tells_only_of_unshown"]

# Actions that look like no other: only these can be missing. "Walks with a limp" is a walk after all, and what someone
# takes, puts or holds may be found in many a motion.
_DISTINCT = word_set("""
    climb clap pray shrug beckon catch dribble row fly handstand cartwheel sit-up push-up swim skate crawl flip kneel
    play pour stir eat drink wash scratch cry dance kick punch throw sit lie roll bow wave jump run shoot fall
    """) | {"jumping jack"}
_DISTINCT_VERBS = word_set("""
    juggle dig write type saw ride drive fish sew shovel hammer knit paint vacuum iron cook conduct yawn sneeze cough
    wrestle rake slice tie button unbutton zip milk bake lasso hug putt lather cut snorkel skateboard snowboard shave
    dive hug peel screw dunk flex cradle
    """)
_PLAYED = word_set("violin guitar piano drums drum flute golf tennis baseball racket cello trumpet")
_SAID_OF_ALL = word_set("stand wait remain move go come get start person hold put take use act")


def named_actions(text: str) -> set[str]:
    """Every action that any word of a text could be a name of."""
    found: set[str] = set()
    for word in split_words(text):
        lemma = verb_lemma(word) or word
        if lemma not in _SAID_OF_ALL:
            found |= {action for action in (VERBS.get(lemma), NOUNS.get(lemma), NOUNS.get(word.rstrip("s"))) if action}
            if lemma in _DISTINCT_VERBS or word in _PLAYED:
                found.add(lemma if lemma in _DISTINCT_VERBS else f"play {word}")
    if any(name.startswith("play ") for name in found):
        found -= {"play", "swing", "hit"}
    return found


def tells_only_of_unshown(content: SentenceContent, shown: Collection[str]) -> bool:
    """Whether all actions of a sentence are certain to be ones that no motion shows.

    A sentence that was not understood, or that has a word for a shown action anywhere, is not certain.

    Args:
        content: from `parse_sentence`.
        shown: from `named_actions` of all captions and labels, and what the motions show.
    """
    for action in content.actions:
        if action.name == "stand":
            continue
        if action.name == UNKNOWN:
            if action.verb not in _DISTINCT_VERBS or action.verb in shown:
                return False
        elif action.name in ("play", "swing", "hit"):
            if not _PLAYED & set(split_words(content.text)):
                return False
        elif action.name not in _DISTINCT or action.name in shown:
            return False
    if all(action.name == "stand" for action in content.actions):
        return False
    return not named_actions(content.text) & set(shown)
