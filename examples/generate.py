"""A sentence becomes a motion, in files for Blender and the browser: python examples/generate.py "a person bows" """

import sys
from pathlib import Path

from transformers import AutoModel, AutoProcessor

import motionllm

path = motionllm.default_checkpoint()  # or a folder, or a Hub id
model, processor = AutoModel.from_pretrained(path).eval(), AutoProcessor.from_pretrained(path)

sentence = sys.argv[1] if len(sys.argv) > 1 else "a person waves with the left hand"
inputs = processor(text=sentence, duration=3)  # seconds
output = model.generate_motion(**inputs, seed=1)
motion = processor.decode_motion(output, captions=[sentence])[0]
print(f"joints {motion.joints.shape}: frames at {motion.fps:g} a second, joints, x y z in metres")

Path("out").mkdir(exist_ok=True)
for suffix in ("npz", "bvh", "html"):
    motionllm.save_motion(motion, f"out/example.{suffix}")
    print(f"wrote out/example.{suffix}")
