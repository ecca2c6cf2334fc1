"""Motions become sentences: python examples/describe.py FILE ... (.npz, .npy, .bvh ...)"""

import sys

from transformers import AutoModel, AutoProcessor

import motionllm

path = motionllm.default_checkpoint()
model, processor = AutoModel.from_pretrained(path).eval(), AutoProcessor.from_pretrained(path)

for name in sys.argv[1:]:
    try:
        motion = motionllm.load_motion(name)
        inputs = processor(motion=motion)
    except motionllm.MotionLLMError as error:  # says what is wrong with the file, and what to do
        print(f"{name}: {error}")
        continue
    captions = processor.decode_caption(model.generate_caption(**inputs))
    print(f"{name} ({motion.num_frames / motion.fps:.1f} s): {captions[0]}")
