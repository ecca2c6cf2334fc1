"""What can be said in a conversation."""

__all__ = ["HELP"]

HELP = """\
"make her walk", "walk in a circle for 4 seconds, then sit down"    a motion
"now bow at the end", "first wave"                                  more after it, or before it
"wave instead of the bow", "from 2 to 3.5 s raise both hands"       a part made anew
"again", "with seed 7", "sadly", "with the left hand", "longer"     the last thing once more, in another way
"slower", "twice as fast"                                           the whole motion at another speed
"what is she doing?"                                                what the model sees in it
"save it for Blender", "save it as bow.mp4"                         files
"undo", "undo 2", "help", "quit"
"make her ..." makes a motion of any sentence, known or not.\
"""
