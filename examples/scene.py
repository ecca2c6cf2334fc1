"""Two people in one world, each with a sentence of its own: python examples/scene.py"""

from pathlib import Path

from transformers import AutoModel, AutoProcessor

import motionllm

path = motionllm.default_checkpoint()
model, processor = AutoModel.from_pretrained(path).eval(), AutoProcessor.from_pretrained(path)

parts = ["a person waves with the left hand", "a person bows"]
inputs = processor(text="two people greet each other", people=2, parts=parts, duration=3)
output = model.generate_motion(**inputs, processor=processor, num_candidates=4, seed=1)
scene = processor.decode_motion(output)[0]

print(f"joints {scene.joints.shape}: people, frames, joints, x y z in metres")
apart = scene.joints[0, 0, 0] - scene.joints[1, 0, 0]
print(f"they start {(apart[0] ** 2 + apart[2] ** 2) ** 0.5:.1f} m apart")
Path("out").mkdir(exist_ok=True)
motionllm.save_motion(scene, "out/scene.html")
